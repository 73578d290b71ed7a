"""The bundled Space as a child process: when it starts, and that it ends."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.client.doctor import examine
from flux_magic.errors import ConnectionFailed, LocalSpaceError, ProtocolError, TokenRefused
from flux_magic.parameters.settings import resolve
from flux_magic.providers import local
from flux_magic.providers.local import LocalSpace
from flux_magic.providers.stand_in.space_folder import LOCK, PREFIX, make_own_folder, remove_dead
from flux_magic.results.generation import ClientEvent, Generation
from flux_magic.types import Running, Waiting
from tests.support.limits import PATIENCE
from tests.support.space import PYTHON, make_digest, make_image, make_request, run

READY = "echo flux-magic space: ready at http://127.0.0.1:1\ncat > /dev/null"
SECRETS = ["HF_TOKEN", "GITHUB_PAT", "DATABASE_URL", "DB_PASSWORD", "http_proxy", "HTTPS_PROXY"]

Launch = Callable[..., LocalSpace]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files of this process and of the Space."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Make a LocalSpace whose interpreter is a shell script; it is closed at the end."""
    made: list[LocalSpace] = []

    def launched(script: str = READY, patience: float = PATIENCE, *, private: bool = False) -> LocalSpace:
        program = tmp_path / f"python{len(made)}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        made.append(LocalSpace(python=str(program), patience=patience, private=private))
        return made[-1]

    yield launched
    for each in made:
        each.close()


def ended(pid: int) -> bool:
    """Return True if a process is gone, or is only waited for by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"not within {patience:g} s"
        time.sleep(0.05)


def test_it_starts_when_its_address_is_asked_for_and_ends_when_it_is_closed(launch: Launch, folder: Path) -> None:
    space = launch()
    assert (space.running, space.pid) == (False, None)
    assert run(space.get_address()) == "http://127.0.0.1:1"
    assert space.running
    pid = space.pid
    assert pid
    assert not ended(pid)
    space.close()
    assert (space.running, space.pid) == (False, None)
    assert ended(pid)
    assert list(folder.iterdir()) == []


def test_closing_it_twice_or_before_it_runs_does_nothing(launch: Launch) -> None:
    space = launch()
    space.close()
    run(space.get_address())
    space.close()
    space.close()
    assert not space.running


def test_it_starts_once_for_all_who_ask(launch: Launch) -> None:
    space = launch('echo $$ >> "$0.starts"; sleep 0.2\n' + READY)

    async def three_times() -> list[str]:
        return await asyncio.gather(*(space.get_address() for _ in range(3)))

    assert run(three_times()) == ["http://127.0.0.1:1"] * 3
    first = space.pid
    run(space.get_address())
    assert space.pid == first
    assert starts(space) == [str(first)]


def starts(space: LocalSpace) -> list[str]:
    return Path(f"{space._command[0]}.starts").read_text().split()


def test_after_it_was_closed_it_starts_again(launch: Launch) -> None:
    space = launch()
    run(space.get_address())
    first = space.pid
    space.close()
    run(space.get_address())
    assert space.running
    assert space.pid != first


def test_an_interpreter_that_is_not_there_is_named() -> None:
    with pytest.raises(LocalSpaceError, match=r"cannot be started: .*: /nowhere/python"):
        run(LocalSpace(python="/nowhere/python").get_address())


def test_tokens_and_proxies_stay_here(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "http://s3cr3t:1")
    monkeypatch.setenv("LC_TIME", "C")
    space = launch()
    run(space.get_address())
    environment = Path(f"/proc/{space.pid}/environ").read_text().split("\0")
    assert "s3cr3t" not in str(environment)
    assert "LC_TIME=C" in environment


def test_the_secret_is_the_first_line_of_its_input_and_nowhere_else(launch: Launch) -> None:
    space = launch('read -r secret; echo "$secret" > "$0.secret"\n' + READY, private=True)
    assert run(space.get_address()) == "http://127.0.0.1:1"
    assert Path(f"{space._command[0]}.secret").read_text() == f"{space.secret}\n"
    assert len(space.secret) >= 32
    for name in ("cmdline", "environ"):
        assert space.secret not in Path(f"/proc/{space.pid}/{name}").read_text()
    assert space.secret not in repr(space)
    assert launch(private=True).secret != space.secret
    assert launch().secret == ""


def test_an_app_that_fails_is_tried_again_and_shows_the_end_of_its_log(launch: Launch, folder: Path) -> None:
    space = launch('echo $$ >> "$0.starts"; seq 100; echo no such thing >&2; exit 3')
    with pytest.raises(LocalSpaceError) as caught:
        run(space.get_address())
    first, *lines = str(caught.value).splitlines()
    assert first == "the local Space ended while starting:"
    assert lines == ["94", "95", "96", "97", "98", "99", "100", "no such thing"]
    assert len(starts(space)) == 2
    space.close()
    assert list(folder.iterdir()) == []


def test_an_app_that_fails_once_is_started_once_more(launch: Launch) -> None:
    space = launch('[ -e "$0.starts" ] || { echo $$ > "$0.starts"; exit 1; }\n' + READY)
    assert run(space.get_address()) == "http://127.0.0.1:1"
    assert str(space.pid) != starts(space)[0]


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo loading; cat > /dev/null", ":\nloading"), ("cat > /dev/null", ", and printed nothing")],
    ids=["words", "silence"],
)
def test_an_app_that_does_not_come_up_is_ended_and_told(launch: Launch, script: str, said: str) -> None:
    space = launch(script, patience=2)
    with pytest.raises(LocalSpaceError) as caught:
        run(space.get_address())
    assert str(caught.value) == f"the local Space did not start within 2 s{said}"
    assert (space.running, space.pid) == (False, None)


PARENT = """
import asyncio, sys, time
from flux_magic.providers.local import LocalSpace
space = LocalSpace(python=sys.argv[1])
asyncio.run(space.get_address())
print(space.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_when_its_parent_is_killed(folder: Path) -> None:
    command = [sys.executable, "-c", PARENT, PYTHON]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert not ended(pid)
        parent.kill()
    wait_until(lambda: ended(pid))
    assert not [path for path in folder.iterdir() if path.is_dir()]


@pytest.fixture
def shared() -> Iterator[LocalSpace]:
    """Return what `space="local"` means here: a Space that takes 0.2 s for each step."""
    space = LocalSpace(python=PYTHON, arguments=("--step-seconds", "0.2"), private=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "shared", space)
        yield space
    space.close()


def killed(space: LocalSpace) -> int:
    """Kills the Space as the system does that runs out of memory. No one has noticed yet."""
    pid = space.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.thorough
def test_local_is_started_when_it_is_first_needed(shared: LocalSpace, space: str) -> None:
    assert shared.pid is None
    made = run(make_image("local", steps=3))
    assert shared.running
    assert made.record.requested_space == "local"
    assert made.digest == make_digest(space, steps=3)


def test_a_private_space_answers_the_process_that_started_it_alone(
    shared: LocalSpace, space: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a real Gradio, with a proxy set that nothing of this may reach; and killed, nothing of it is left."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    made = run(make_image("local", steps=1, proxy="http://127.0.0.1:1"))
    assert made.digest == make_digest(space, steps=1)
    assert (made.record.space, made.record.requested_space) == ("local:1", "local")
    address = run(shared.get_address())
    assert shared.secret not in f"{made!r}{made.url}{made.record}{address}{run(examine(resolve(space='local')))}"
    with pytest.raises(TokenRefused, match="it answers the program that started it"):
        run(make_image(address, steps=1))

    async def statuses() -> list[int]:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {shared.secret}"}) as session:
            job = {"data": ["a fox", 1, False, 256, 256, 1]}

            def upload(data: bytes, **headers: str) -> tuple[str, str, dict[str, Any]]:
                form = aiohttp.FormData({"files": io.BytesIO(data)})
                return "POST", "/gradio_api/upload", {"data": form, "headers": headers}

            asked: list[tuple[str, str, dict[str, Any]]] = [
                ("GET", "/config", {}),
                ("GET", "/config", {"headers": {"Authorization": ""}}),
                ("GET", "/config", {"headers": {"Host": "evil.example"}}),
                ("POST", "/gradio_api/call/infer", {"headers": {"Origin": "http://evil.example"}, "json": job}),
                upload(bytes(5_000_000)),
                upload(made.data, Authorization=""),
                upload(made.data, Origin="http://evil.example"),
                upload(made.data),
            ]
            found = []
            for method, path, options in asked:
                async with session.request(method, f"{address}{path}", **options) as response:
                    assert response.headers["X-Frame-Options"] == "DENY"
                    found.append(response.status)
            async with session.get(made.url or "", headers={"Authorization": ""}) as response:
                assert await response.read() == made.data  # so that `--inline link` shows it
            return found

    assert run(statuses()) == [200, 401, 421, 403, 415, 401, 403, 200]
    left = list(folder.iterdir())
    assert len(left) == 1
    size = sum(path.stat().st_size for path in left[0].rglob("*") if path.is_file())
    assert size == 2 * len(made.data)  # of the uploads only the one that passed
    pid = killed(shared)
    wait_until(lambda: ended(pid))
    assert run(make_image("local", steps=1)).digest == made.digest
    assert shared.pid != pid
    assert not left[0].exists()
    assert len(list(folder.iterdir())) == 1
    told = [one.getMessage() for one in caplog.records if one.name == local.__name__]
    found = re.findall(r"the local Space (is started: |is ready at|has ended with code -9, and is)", "\n".join(told))
    assert [words.split()[1] for words in found] == ["started:", "ready", "ended", "started:", "ready"]
    assert shared.secret not in caplog.text
    killed(shared)
    shared.close()
    assert list(folder.iterdir()) == []


FOLDER_OF_ONE_THAT_IS_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from space_folder import make_own_folder
with make_own_folder() as folder:
    (folder / "of an image").mkdir()
    (folder / "of an image" / "image.webp").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folders_of_killed_spaces_are_removed_and_no_others(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FOLDER_OF_ONE_THAT_IS_KILLED, str(local.APP.parent)]

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    with started() as dead, started() as alive:
        assert dead.stdout
        assert alive.stdout
        of_dead, of_alive = (Path(line.readline().decode().strip()) for line in (dead.stdout, alive.stdout))
        dead.communicate()
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        (foreign / LOCK).touch()
        (folder / f"{PREFIX}link").symlink_to(foreign)
        (folder / f"{PREFIX}of-an-older-version").mkdir()
        (folder / f"{PREFIX}with-a-link").mkdir()
        (folder / f"{PREFIX}with-a-link" / LOCK).symlink_to(foreign / LOCK)
        (folder / f"{PREFIX}file").touch()
        kept = {*folder.iterdir()} - {of_dead}
        with make_own_folder():  # this process's own, too
            assert of_dead.exists()
            remove_dead()
            assert len({*folder.iterdir()} - kept) == 1
        assert {*folder.iterdir()} == kept
        assert (of_alive / "of an image" / "image.webp").exists()
        assert (foreign / LOCK).exists()
        alive.communicate()
    remove_dead()
    assert not of_alive.exists()


def test_the_folder_of_another_user_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = folder / f"{PREFIX}theirs"
    theirs.mkdir()
    (theirs / LOCK).touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
        remove_dead()
    assert theirs.exists()
    remove_dead()
    assert not theirs.exists()


def test_a_local_space_that_is_killed_at_work_is_started_again_for_the_same_image(
    shared: LocalSpace, space: str
) -> None:
    async def work() -> tuple[list[str], ClientEvent]:
        await shared.get_address()
        async with aclosing(AsyncClient(space="local").stream(make_request(steps=3))) as events:
            return await watched(shared, events, times=1)

    reasons, last = run(work())
    assert reasons == ["sending the request", "starting the local Space", "sending the request"]
    assert isinstance(last, Generation)
    assert last.digest == make_digest(space, steps=3)


@pytest.mark.thorough
def test_a_local_space_that_is_killed_twice_at_work_is_an_error(shared: LocalSpace) -> None:
    async def work() -> None:
        async with aclosing(AsyncClient(space="local").stream(make_request(steps=3))) as events:
            await watched(shared, events, times=2)

    with pytest.raises((ConnectionFailed, ProtocolError)):
        run(work())


async def watched(
    space: LocalSpace, events: AsyncGenerator[ClientEvent, None], times: int
) -> tuple[list[str], ClientEvent]:
    """Return the reasons for waiting and the last event of a job whose Space is killed as it runs."""
    pids: set[int] = set()
    reasons: list[str] = []
    async for event in events:
        if isinstance(event, Waiting):
            reasons.append(event.reason)
        elif isinstance(event, Running) and len(pids) < times and space.pid not in pids:
            pids.add(killed(space))
    return reasons, event
