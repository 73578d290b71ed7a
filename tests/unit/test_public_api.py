"""The two clients as a program calls them: what blocks and what is awaited, and what each call takes."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

import flux_magic
from flux_magic import AsyncClient, Client, Generation, Generations, ImageRequest, Running, providers
from flux_magic.client import runner, submission, underway
from flux_magic.client.options import Options
from flux_magic.errors import (
    FluxError,
    InvalidArgument,
    InvalidRequest,
    SpaceError,
    Stopped,
    TimedOut,
    WouldDeadlock,
)
from flux_magic.parameters import settings
from tests.support.limits import PATIENCE
from tests.support.space import run
from tests.unit.scripted import Painter, painting, until

if TYPE_CHECKING:
    from typing_extensions import assert_type

SHARED = frozenset(Options.__annotations__)
SEVERAL = [ImageRequest("a fox", seed=seed) for seed in (1, 2, 3)]


@pytest.fixture(autouse=True)
def painter(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Painter]]:
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)
    settings.configure_by(dict)
    yield painting(monkeypatch)
    settings.configure_by(dict)


async def listed(made: Any) -> list[Any]:
    return [one async for one in made]


CALLS: dict[str, Callable[..., Any]] = {
    "generate": lambda **on: flux_magic.generate("a fox", seed=1, count=3, **on),
    "generate_many": lambda **on: list(flux_magic.generate_many(SEVERAL, **on)),
    "sweep": lambda **on: flux_magic.sweep("a fox", seed=[1, 2, 3], **on),
    "submit": lambda **on: flux_magic.submit("a fox", seed=1, count=3, **on).result(),
    "a client's": lambda **on: Client(seed=1).generate("a fox", count=3, **on),
    "async generate": lambda **on: run(AsyncClient().generate("a fox", seed=1, count=3, **on)),
    "async generate_many": lambda **on: run(listed(AsyncClient().generate_many(SEVERAL, **on))),
    "async sweep": lambda **on: run(AsyncClient().sweep("a fox", seed=[1, 2, 3], **on)),
    "async submit": lambda **on: run(submitted(**on)),
}


async def submitted(**on: Any) -> Any:
    return await AsyncClient().submit("a fox", seed=1, count=3, **on)


@pytest.mark.parametrize("call", CALLS)
def test_a_callback_gets_each_event_and_last_each_generation(call: str) -> None:
    seen: list[Any] = []
    made = CALLS[call](on_event=seen.append)
    assert sum(isinstance(one, Running) for one in seen) == 3
    assert [one for one in seen if isinstance(one, Generation)] == sorted(made, key=seen.index)
    assert sorted(one.seed for one in made) == [1, 2, 3]


@pytest.mark.parametrize("call", CALLS)
def test_an_exception_in_a_callback_ends_the_job_and_is_raised_as_it_is(call: str, painter: type[Painter]) -> None:
    error = ZeroDivisionError("mine")
    painter.pause = 600

    def fail(_event: object) -> None:
        raise error

    with pytest.raises(ZeroDivisionError) as told:
        CALLS[call](on_event=fail)
    assert told.value is error
    until(lambda: painter.at_work == 0)
    assert painter.painted == []


@pytest.mark.parametrize("call", CALLS)
def test_a_callback_that_is_none_or_has_to_be_awaited_is_told_at_once(call: str, painter: type[Painter]) -> None:
    seen: list[object] = []

    async def see(event: object) -> None:
        seen.append(event)

    with pytest.raises(InvalidArgument, match="on_event is 3: give a function"):
        CALLS[call](on_event=3)
    assert painter.made == []
    if call.startswith("async"):
        CALLS[call](on_event=see)
        assert len(seen) == 6
    else:
        with pytest.raises(InvalidArgument, match=r"on_event is an async function: .* use AsyncClient"):
            CALLS[call](on_event=see)


# The keywords


@pytest.mark.parametrize(
    "call",
    [
        *(getattr(flux_magic, name) for name in ("generate", "generate_many", "sweep", "submit", "Client")),
        *(getattr(AsyncClient, name) for name in ("generate", "generate_many", "sweep", "submit", "__init__")),
    ],
    ids=lambda call: str(call.__qualname__),
)
def test_every_call_names_the_same_keywords_and_refuses_others_in_one_line(call: Any) -> None:
    names = inspect.signature(call).parameters
    assert names.keys() >= SHARED | ({"on_event"} if call.__name__ not in {"Client", "__init__"} else set())
    assert all(names[name].annotation for name in SHARED)
    owner = (AsyncClient(),) if "Async" in call.__qualname__ else ()
    if call.__name__ in {"Client", "__init__"}:
        with pytest.raises(InvalidArgument, match=r"^\w+\(\) has no argument stepz: did you mean steps\? It takes "):
            call(*owner, stepz=3)
    elif call.__name__ != "sweep":
        with pytest.raises(InvalidArgument, match=r"^\w+\(\) has no argument stepz: did you mean steps\? It takes "):
            call(*owner, "a fox", stepz=3)


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.parametrize(
    "typed", ["fm.generate('a', sha", "fm.Client(sha", "client.sweep('a', sha", "fm.submit('a', sha"]
)
def test_tab_completes_them(typed: str, *, jedi: bool) -> None:
    completer = IPCompleter(namespace={"fm": flux_magic, "client": Client()}, use_jedi=jedi)
    with provisionalcompleter():
        assert "shared_store=" in {one.text for one in completer.completions(typed, len(typed))}


def test_a_calls_options_are_over_the_clients_and_none_inherits(tmp_path: Path) -> None:
    client = Client(size="64x72", steps=8, seed=5, store=tmp_path, replay="auto")
    sizes = []
    for options in ({}, {"size": "80x88"}, {"width": 96}, {"steps": None, "seed": 6}):
        made = client.generate("a fox", **options)
        sizes.append((made.request.width, made.request.height, made.steps, made.seed))
    assert sizes == [(64, 72, 8, 5), (80, 88, 8, 5), (96, 72, 8, 5), (64, 72, 8, 6)]
    assert [client.generate("a fox").replayed, client.generate("a fox", fresh=True).replayed] == [True, False]
    assert [one.steps for one in client.generate_many([ImageRequest("a fox"), ImageRequest("a hen", steps=2)])] == [
        8,
        2,
    ]
    assert [(one.steps, one.width) for one in client.sweep("a fox", steps=[1, 2], size="80x88")] == [(1, 8), (2, 8)]
    assert [one.request.width for one in client.sweep("a fox", size=["80x88", "64x64"])] == [80, 64]
    with pytest.raises(InvalidRequest, match="fresh=True and replay='only' contradict"):
        client.generate("a fox", fresh=True, replay="only")


def test_a_clients_runner_counts_and_one_that_is_awaited_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def get(name: str) -> runner.Runner:
        used.append(name)
        return runner.background

    monkeypatch.setattr(runner, "get_runner", get)
    Client(runner="nest").generate("a fox")
    Client().generate("a fox")
    assert used == ["nest", "thread"]
    with pytest.raises(InvalidRequest, match="runner is 'next': choose one of thread, nest"):
        Client(runner="next")
    with pytest.raises(InvalidArgument, match=r"^AsyncClient\(\) has no argument runner"):
        AsyncClient(runner="nest")  # type: ignore[call-arg]  # the mistake


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("async with Client(): pass", "a Client blocks: write async with flux_magic.AsyncClient"),
        ("await Client().generate('a fox')", "Client and generate.. block; leave out await, or use AsyncClient"),
        ("await Client().generate('a fox', count=2)", "leave out await, or use AsyncClient"),
        ("async for _ in Client().generate_many([]): pass", "a Client blocks: .*AsyncClient"),
    ],
)
def test_code_for_the_client_of_before_is_told_its_new_name_in_one_line(code: str, says: str) -> None:
    names: dict[str, Any] = {"Client": Client}
    exec(f"async def main():\n    {code}", names)
    with pytest.raises(FluxError, match=says) as told:
        asyncio.run(names["main"]())
    assert "\n" not in str(told.value)


if TYPE_CHECKING:  # what a checker sees: `make check` looks
    assert_type(flux_magic.generate("a fox", steps=4), Generation)
    assert_type(flux_magic.generate("a fox", count=1), Generation)
    assert_type(flux_magic.generate("a fox", count=3), Generations)
    assert_type(Client().submit("a fox"), flux_magic.Submission[Generation])
    assert_type(AsyncClient().submit("a fox", count=2), flux_magic.AsyncSubmission[Generations])
    assert_type([one.seed for one in flux_magic.generate_many(SEVERAL)], list[int | None])
    assert_type(flux_magic.verify("fox.png").passed, bool)
    flux_magic.generate("a fox", stepz=3)  # type: ignore[call-overload]
    flux_magic.generate_many(SEVERAL, steps="3")  # type: ignore[arg-type]
    Client(space=3)  # type: ignore[arg-type]


# Connections, and what is remembered


def test_a_client_keeps_its_connection_until_it_is_closed_or_dropped(painter: type[Painter]) -> None:
    def sessions() -> list[Any]:
        return [one.connection._session for one in painter.made]

    with Client() as client:
        client.generate("a fox", count=2)
        client.submit("a fox").result()
    assert len(set(map(id, sessions()))) == 1
    assert sessions()[0].closed
    client.generate("a fox")
    kept = sessions()[-1]
    assert (kept is not sessions()[0], kept.closed) == (True, False)
    del client
    gc.collect()
    until(lambda: kept.closed)
    client = Client()
    client.close()


def test_each_client_remembers_its_own_and_the_shared_one_what_magics_and_calls_make() -> None:
    client = Client()
    mine = client.generate("a hen", count=2)
    made = [flux_magic.generate("a fox"), *flux_magic.sweep("a fox", steps=[1, 2])]
    assert list(client.history()) == list(mine)
    assert list(flux_magic.history()[:1]) == made[:1]
    assert set(flux_magic.history()) == set(made)
    assert list(flux_magic.history(last=1)) == list(flux_magic.history())[-1:]
    assert repr(Client().history()) == "no images in this session yet"
    with pytest.raises(InvalidRequest, match="last is 0: give a whole number from 1 up"):
        client.history(0)


# Handles


def test_a_handle_tells_how_far_its_job_is_and_gives_what_it_made(painter: type[Painter]) -> None:
    going, seen = threading.Event(), []

    def hold(event: object) -> None:
        seen.append(event)
        going.wait(PATIENCE)

    job = flux_magic.submit("a fox", seed=1, on_event=hold)
    with pytest.raises(TimedOut, match=r"^no image within 0\.05 s: the job is still under way"):
        job.result(timeout=0.05)
    until(lambda: seen)
    assert (job.status, job.done) == (Running(1, 4), False)
    going.set()
    made = job.result(timeout=PATIENCE)
    assert (made.seed, job.status, job.done, job.cancel()) == (1, "done", True, False)
    assert isinstance(flux_magic.submit("a fox", count=2).result(), Generations)
    painter.failing = {7: SpaceError("no: by design")}
    failed = flux_magic.submit("a fox", seed=7)
    with pytest.raises(SpaceError, match="by design"):
        failed.result()
    assert (failed.status, repr(failed)) == ("failed", "Submission('failed')")
    with pytest.raises(InvalidRequest, match="steps is 0"):
        flux_magic.submit("a fox", steps=0)
    with pytest.raises(InvalidRequest, match="timeout is 'x': give seconds"):
        failed.result("x")  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("by", ["cancel", "cancel_all"])
def test_a_cancelled_handle_ends_its_job(by: str, painter: type[Painter]) -> None:
    painter.pause = 600
    running = threading.Event()
    job = flux_magic.submit("a fox", on_event=lambda _event: running.set())
    running.wait(PATIENCE)
    assert job.cancel() if by == "cancel" else flux_magic.cancel_all() == 1
    with pytest.raises(Stopped):
        job.result(timeout=PATIENCE)
    assert (job.status, job.done) == ("cancelled", True)
    until(lambda: painter.at_work == 0)


def test_a_handle_cannot_be_waited_for_where_its_job_runs(painter: type[Painter]) -> None:
    painter.pause = 600
    job = flux_magic.submit("a fox")

    async def wait() -> None:
        with pytest.raises(WouldDeadlock):
            flux_magic.submit("a fox")
        job.result()

    with pytest.raises(WouldDeadlock):
        flux_magic.run(wait())
    job.cancel()


def test_a_handle_that_is_dropped_lets_its_job_go_on_and_leaks_nothing(painter: type[Painter]) -> None:
    done = threading.Event()
    job = flux_magic.submit("a fox", seed=9, on_event=lambda one: done.set() if isinstance(one, Generation) else None)
    dropped = weakref.ref(job)
    del job
    gc.collect()
    assert dropped() is None
    assert done.wait(PATIENCE)
    assert flux_magic.history()[-1].seed == 9

    complaints: list[object] = []

    async def drop() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        painter.failing = {1: SpaceError("no")}
        for seed in (1, 2):
            AsyncClient().submit("a fox", seed=seed, store=False)
        await asyncio.wait(submission._held)
        await asyncio.sleep(0)  # for what they do at the end
        assert not submission._held
        gc.collect()

    asyncio.run(drop())
    assert (complaints, painter.painted) == ([], [9, 2])


def test_an_async_handle_is_awaited_or_cancelled(painter: type[Painter]) -> None:
    async def main() -> None:
        client = AsyncClient(store=False)
        job = client.submit("a fox", seed=3)
        assert (job.status, job.done) == (flux_magic.Waiting("connecting"), False)
        assert (await job).seed == (await job.result(timeout=1)).seed == 3
        assert (job.status, repr(job)) == ("done", "AsyncSubmission('done')")
        painter.pause = 600
        job = client.submit("a fox")
        with pytest.raises(TimedOut):
            await job.result(timeout=0.05)
        assert job.cancel()
        with pytest.raises(Stopped):
            await job
        assert (job.status, painter.at_work) == ("cancelled", 0)

    asyncio.run(main())
    assert not underway.list_underway()
    with pytest.raises(InvalidArgument, match="no event loop runs here: call submit in a coroutine, or use Client"):
        AsyncClient().submit("a fox")


# Recall, verify and the rest, by both clients


def test_both_clients_look_back(tmp_path: Path, painter: type[Painter]) -> None:
    fox = flux_magic.generate("a fox", seed=1, space="https://other.example")
    paths = fox.save(tmp_path / "fox.png")
    both = [flux_magic.recall(paths[0]), run(AsyncClient().recall(paths[0])), flux_magic.recall(fox)]
    assert {one.options["seed"] for one in both} == {1}
    assert flux_magic.verify(paths, static=True).passed
    assert run(AsyncClient().verify(paths, static=True)).passed
    made = len(painter.made)
    refused = Client().verify(paths)
    own = Client(space="https://other.example").verify(paths)
    assert "not asked: it was made by https://other.example" in str(refused)
    assert (refused.passed, own.passed) == (False, True)
    assert len(painter.made) > made


def test_the_first_file_of_each_is_an_image_of_its_own() -> None:
    foxes = flux_magic.generate("a fox", count=2, seed=1)
    first = foxes[0].image
    assert (first.size, [one.size for one in foxes.images]) == ((8, 6), [(8, 6)] * 2)
    first.thumbnail((2, 2))
    assert foxes[0].image.size == (8, 6)


def test_the_models_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (providers.BlackForestLabs_Flux1Schnell,))
    (model,) = flux_magic.list_models()
    assert model.name == "black-forest-labs-flux-1-schnell"
    assert (model.aliases, model.space) == (("flux-schnell", "flux"), "black-forest-labs/FLUX.1-schnell")
