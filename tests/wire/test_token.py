"""A token goes if it was meant, and nowhere else; what a Space points to is not followed everywhere."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import traceback
from typing import Any

import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.client.target import resolve_target
from flux_magic.errors import FluxError, ProtocolError
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.settings import resolve
from flux_magic.providers import local
from flux_magic.providers.http.connection import Connection, open_session
from flux_magic.results.generation import Generation
from tests.support.hostile import (
    Answer,
    answer_json,
    answer_page,
    answer_stream,
    format_event,
    format_finished,
    run_hostile,
    run_hostile_beside,
)
from tests.support.limits import PROGRAM
from tests.support.space import run

CANARY = "hf_canaryCANARY0123"


async def made(address: str, **options: Any) -> None:
    await AsyncClient(space=address, width=256, height=256, **options).generate("a fox", seed=42)


def test_a_token_that_was_given_reaches_the_space_with_every_request() -> None:
    async def work() -> list[str]:
        async with run_hostile() as server:
            await made(server.address, token=CANARY)
            return server.tokens

    assert set(run(work())) == {f"Bearer {CANARY}"}


def test_the_environments_token_is_for_the_models_own_space_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", CANARY)

    async def work() -> list[str]:
        async with run_hostile() as server:
            await made(server.address)
            return server.tokens

    assert run(work()) == []


@pytest.mark.parametrize(
    ("space", "token", "sent"),
    [
        pytest.param(None, None, True, id="the model's own Space, from the environment"),
        pytest.param("https://h.example", None, False, id="another Space, from the environment"),
        pytest.param("https://h.example", "hf_given", True, id="another Space, given for it"),
        pytest.param("http://h.example", "hf_given", False, id="in the clear"),
        pytest.param("local", "hf_given", False, id="the local Space"),
    ],
)
def test_where_a_token_goes(
    monkeypatch: pytest.MonkeyPatch, space: str | None, token: str | None, *, sent: bool
) -> None:
    monkeypatch.setenv("HF_TOKEN", CANARY)
    at = Space("local", "http://127.0.0.1:1") if space == "local" else None

    async def work() -> dict[str, str]:
        async with open_session() as session:
            target = resolve_target(resolve(space=space, token=token), "")
            place = at or target.space
            assert place
            provider = await target.connect(session, space=place)
            return provider._connection._make_authorization(f"{place.url}/config")

    assert ((token or CANARY) in str(run(work()))) is sent


def test_a_token_goes_with_no_redirect_and_to_no_other_host() -> None:
    async def work() -> tuple[list[str], list[str]]:
        async with run_hostile() as other:
            moved = Answer(status=307, headers={"Location": f"{other.address}/gradio_api/call/infer"})
            file = {"path": None, "url": f"{other.address}/gradio_api/file=/x.png"}
            done = answer_stream(format_event("complete", [file, 42]))
            async with run_hostile(post=moved, queue=Answer(status=404), call=done) as server:
                await made(server.address, token=CANARY)
                return server.tokens, [*other.tokens, *other.seen]

    ours, others = run(work())
    assert set(ours) == {f"Bearer {CANARY}"}
    assert others == ["post", "file"]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"post": answer_page(401)}, id="refused"),
        pytest.param({"post": answer_json({"detail": "no"}, 422)}, id="unfit"),
        pytest.param({"file": answer_page(403)}, id="forbidden"),
        pytest.param({"post": answer_json({"detail": f"who is {CANARY}?"}, 500)}, id="told back"),
        pytest.param(
            {"queue": answer_stream(format_finished({"error": CANARY}, success=False))}, id="told back by the app"
        ),
    ],
)
def test_a_token_is_in_no_error(script: dict[str, Any]) -> None:
    async def work() -> None:
        async with run_hostile(**script) as server:
            await made(server.address, token=CANARY)

    with pytest.raises(FluxError) as caught:
        run(work())
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    assert CANARY not in shown
    assert CANARY not in repr(resolve(token=CANARY))


def test_a_record_and_its_cell_hold_no_token(space: str) -> None:
    made = run(AsyncClient(space=space, token=CANARY, width=256, height=256).generate("a fox"))
    assert isinstance(made, Generation)
    assert CANARY not in f"{made!r}{made.record}{made.command()}{made.build_outputs()}{made.files}"


def test_a_token_stays_out_of_the_local_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", CANARY)
    assert CANARY not in str(local.build_environment())


@pytest.mark.parametrize("host", ["127.0.0.1:1", "10.0.0.1", "169.254.169.254", "[::1]:1", "localhost:1"])
def test_a_space_out_there_points_to_no_address_of_ones_own_network(host: str) -> None:
    async def work() -> None:
        async with open_session() as session:
            connection = Connection(session, space="https://space.example")
            await connection.get_bytes(f"http://{host}/secret.png")

    with pytest.raises(ProtocolError, match="your own network"):
        run(work())


def test_the_doctor_tells_how_a_space_is_and_fails_where_it_does_not_answer(space: str) -> None:
    well, ill = (examined(at) for at in (space, "http://127.0.0.1:9"))
    assert (well.returncode, well.stderr) == (0, "")
    assert re.search(r"--steps +num_inference_steps: .* a whole number from 1 to 50 ", well.stdout)
    assert (ill.returncode, ill.stderr) == (1, "")
    assert "no: ConnectionFailed" in ill.stdout
    assert CANARY not in well.stdout + ill.stdout


def test_the_doctor_does_not_take_another_server_for_a_space() -> None:
    with run_hostile_beside(config=answer_json({"name": "something else"})) as server:
        other = examined(server.address)
    assert other.returncode == 1
    assert "but not as a Gradio Space" in other.stdout


def test_the_doctor_says_what_is_no_space() -> None:
    assert "InvalidRequest: 'nowhere' is no Space" in examined("nowhere").stdout


def test_the_doctor_asks_the_hub_for_stage_and_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    from flux_magic.parameters.addresses import get_hub
    from flux_magic.providers.gradio import hub

    async def work() -> tuple[str, str, str]:
        quota = answer_json({"base": 240, "current": 90.5, "resetsAt": "2030-01-01T00:00:00Z"})
        stage = answer_json({"runtime": {"stage": "SLEEPING"}})
        async with run_hostile(prefix="/api/spaces", quota=quota, stage=stage) as server, open_session() as session:
            monkeypatch.setenv("HF_ENDPOINT", server.address)
            connection = Connection(session, token=CANARY, space=get_hub())
            return (
                await hub.fetch_stage(connection, "a/b"),
                await hub.fetch_quota(connection),
                await hub.fetch_stage(connection, "c/d"),
            )

    stage, quota, missing = run(work())
    assert (stage, missing) == ("SLEEPING", "NOT_FOUND")
    assert quota == "90.5 of 240 s of GPU time left, resets 2030-01-01T00:00:00Z"


def examined(space: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; from flux_magic.cli import main; sys.exit(main(['doctor', {space!r}]))"
    environment = {**local.build_environment(), "HF_TOKEN": CANARY}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM, env=environment)


def test_cancel_all_ends_what_runs_on_any_loop(slow_space: str) -> None:
    from flux_magic import cancel_all
    from flux_magic.errors import Stopped

    async def work() -> int:
        job = asyncio.create_task(made(slow_space, steps=50))
        while not (stopped := cancel_all()):  # noqa: ASYNC110 - until it is under way
            await asyncio.sleep(0.01)
        with pytest.raises(Stopped, match="stopped by cancel_all"):
            await job
        return stopped

    assert run(work()) == 1
