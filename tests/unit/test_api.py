from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from flux_magic.client import blocking, client, progress
from flux_magic.errors import InvalidRequest, SpaceError
from flux_magic.parameters import settings
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.types import Running
from tests.unit.scripted import Scripted, answer, installed


@pytest.fixture(autouse=True)
def _no_layers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)
    settings.configure_by(dict)
    yield
    settings.configure_by(dict)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    return installed(monkeypatch)


def test_generate_blocks_and_gives_a_generation(provider: type[Scripted]) -> None:
    made = client.generate(
        "a fox", steps=3, seed=7, width=64, height=72, model="flux-schnell", space="c/d", inline="png"
    )
    assert isinstance(made, Generation)
    assert (made.prompt, made.steps, made.seed, made.inline) == ("a fox", 3, 7, "png")
    assert (made.request.width, made.request.height, made.request.model) == (64, 72, "flux-schnell")
    assert provider.made[0].at == "https://c-d.hf.space"


@pytest.mark.usefixtures("provider")
def test_a_count_gives_generations_with_successive_seeds() -> None:
    made = client.generate("a fox", seed=7, count=3, quiet=True)
    assert isinstance(made, Generations)
    assert [item.seed for item in made] == [7, 8, 9]


@pytest.mark.usefixtures("provider")
def test_what_is_left_out_is_taken_from_config() -> None:
    settings.configure_by(lambda: {"steps": 9, "seed": 5})
    made = client.generate("a fox")
    assert isinstance(made, Generation)
    assert (made.steps, made.seed) == (9, 5)


@pytest.mark.usefixtures("provider")
def test_generate_works_while_a_loop_runs_here() -> None:
    async def cell() -> int:
        return len(client.generate("a fox").files)

    assert asyncio.run(cell()) == 1


def test_the_connection_is_kept_between_images(provider: type[Scripted]) -> None:
    client.generate("a fox", count=2)
    client.generate("a fox")
    assert len({id(item.connection._session) for item in provider.made}) == 1
    assert not provider.made[0].connection._session.closed


def test_nothing_is_sent_for_what_cannot_be(provider: type[Scripted]) -> None:
    with pytest.raises(InvalidRequest):
        client.generate("a fox", steps=0)
    with pytest.raises(InvalidRequest):
        client.generate(" ")
    assert provider.made == []


def test_an_error_of_the_provider_comes_out_as_it_is(provider: type[Scripted]) -> None:
    provider.script = [Running(), SpaceError("the Space says: no")]
    with pytest.raises(SpaceError, match="the Space says: no"):
        client.generate("a fox")


def test_an_interrupt_ends_the_wait_and_the_job(provider: type[Scripted]) -> None:
    provider.script = [Running(), 900, answer()]
    timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        client.generate("a fox")
    timer.join()
    assert provider.made[0].closed
    assert vars(caught.value)["_render_traceback_"]() == ["KeyboardInterrupt: stopped"]


@pytest.mark.usefixtures("provider")
def test_the_bar_sees_every_event_unless_it_is_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    class Paper:
        def draw(self, status: progress.ProgressLine) -> None:
            drawn.append(status.text)

        def clear(self) -> None:
            drawn.append("")

    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    monkeypatch.setattr(progress, "_choose_screen", Paper)
    client.generate("a fox", quiet=True)
    assert drawn == []
    client.generate("a fox")
    assert drawn[-2:] == ["made", ""]


def test_run_gives_a_coroutines_result_from_a_cell() -> None:
    async def twice(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    assert blocking.run(twice(4)) == 8
