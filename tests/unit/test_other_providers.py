"""A provider that no Space is, and those that another package brings along."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest

from flux_magic import providers
from flux_magic.client import target
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.client import generate, sweep
from flux_magic.client.doctor import examine
from flux_magic.client.progress import ProgressLine, find_previews, render_html
from flux_magic.errors import FluxError, InvalidArgument, InvalidRequest, MissingExtra
from flux_magic.jupyter import cell
from flux_magic.jupyter.lines import _parse_panel_line
from flux_magic.jupyter.panel import Panel
from flux_magic.jupyter.panel import panel as panel_module
from flux_magic.jupyter.panel.parameters import InvalidTrait
from flux_magic.parameters import settings
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.table import Parameter
from flux_magic.providers import BlackForestLabs_Flux1Schnell, GradioProvider, plugins, registry
from flux_magic.providers.base import ModelDescription, Provider, ProviderModelMixin
from flux_magic.providers.diffusers.worker import worker
from flux_magic.records.record import find_contradiction, parse_record
from flux_magic.results.generation import Generation
from flux_magic.types import Event, ImageRequest, ImageResponse, Preview, Running
from flux_magic.verify.live import check
from flux_magic.verify.similarity import Grade
from tests.support.limits import PATIENCE
from tests.unit.samples import encoded
from tests.unit.scripted import close, installed, settle


class Engine(ProviderModelMixin, Provider):
    """Colours, made here: it has no Space, no address and nothing but the contract."""

    label = "Engine"
    defaults: ClassVar[dict[str, int]] = {"steps": 2, "width": 768, "height": 768}
    default_model = "engine-1"
    model_aliases: ClassVar[dict[str, str]] = {"engine": default_model}

    async def describe(self, model: str = "") -> ModelDescription:
        return ModelDescription(
            model=self.get_model(model),
            provider=self.label,
            parameters=(
                Parameter(name="steps", help="", least=2, most=9),
                Parameter(name="width", help="", least=64, most=512),
                Parameter(name="shift", help="", kind=float),
            ),
        )

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        yield Running(1, 2)
        yield ImageResponse([str(request.seed)], request.prompt, sent={"sampler": "euler"})

    async def fetch(self, file: str) -> bytes:
        return encoded(colour=int(file), size=(128, 96))

    async def environment(self) -> Mapping[str, str]:
        return {"hardware": "two cores", "what no record has": "x"}


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give a test a registry, a store and a configuration of its own."""
    monkeypatch.setattr("flux_magic.providers.registry._registered", [])
    monkeypatch.setattr(plugins, "_seen", {})
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    monkeypatch.chdir(tmp_path)
    for name in ("FLUX_MAGIC_SPACE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    settings.configure_by(dict)


@pytest.fixture
def engine() -> Iterator[type[Engine]]:
    yield providers.register_provider(Engine)  # type: ignore[misc]  # the class that was given
    providers.unregister_provider(Engine)


def made(**options: Any) -> Generation:
    result = generate("a fox", **{"model": "engine", "seed": 7, "width": 128, "height": 96, **options})
    assert isinstance(result, Generation)
    return result


@pytest.mark.usefixtures("engine")
def test_a_provider_that_is_no_space_makes_an_image_that_is_recorded_and_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "local")  # for those models that a Space makes
    first = made()
    record = first.record
    assert (record.model, record.provider, record.space) == ("engine-1", "Engine", "provider:Engine")
    assert (record.requested_model, record.requested_space, record.seed) == ("engine", None, 7)
    assert (record.sent, record.circumstances.hardware) == ({"sampler": "euler"}, "two cores")
    assert parse_record(json.loads(json.dumps(record.as_dict()))) == record
    assert find_contradiction(record) == ""
    assert first.command() == "%%flux --steps 2 --seed 7 --size 128x96 --model engine\na fox"
    again = made()
    assert (again.replayed, again.data, again.record) == (True, first.data, record)
    assert made(steps=3, seed=8).replayed is False
    with pytest.raises(InvalidRequest, match="Engine makes its images without a Space: leave out --space a/b, or"):
        made(space="a/b")


@pytest.mark.usefixtures("engine")
def test_the_dry_run_and_the_doctor_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    said = cell.read("--model engine --steps 4 --seed 7", "a fox", {}).describe()
    assert said.splitlines()[0] == "nothing was sent; it would go to Engine"
    sent = {"prompt": "a fox", "seed": 7, "steps": 4, "width": 768, "height": 768}
    assert json.loads(said.partition("\n")[2]) == sent
    report = asyncio.run(examine(settings.resolve(model="engine")))
    assert report.healthy
    assert report.rows["provider"] == "Engine"
    shown = [re.split(" {2,}", line)[0] for line in str(report).splitlines()[-4:]]
    assert shown == ["parameter", "--steps", "--width", "--set shift="]
    assert "a whole number from 2 to 9" in str(report)
    assert not report.rows.keys() & {"Space", "address", "token", "stage", "Gradio"}
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("engine")
def test_a_panel_takes_its_ranges_and_makes_its_image() -> None:
    panel = Panel(model="engine", prompt="a fox", steps=20, seed=5, width=128, height=96)
    try:
        settle()
        assert (panel.get_range("steps"), panel.get_range("width"), panel.steps) == ((2, 9), (64, 512), 9)
        panel.generate()
        image = panel.wait(PATIENCE)
        assert isinstance(image, Generation)
        assert (image.record.model, image.record.steps) == ("engine-1", 9)
    finally:
        close(panel)


@pytest.mark.usefixtures("engine")
def test_verify_makes_its_image_once_more(tmp_path: Path) -> None:
    made().save(tmp_path / "fox.png")
    report = asyncio.run(check([tmp_path / "fox.png"]))
    assert [verdict.grade for verdict in report.verdicts] == [Grade.SAME_BYTES]


NIGHT = """
from flux_magic.providers.base import *
from tests.unit.test_other_providers import Engine

class Night(Engine):
    label = "Night"
    default_model = "night-1"
    model_aliases = {"night": default_model}

class Thief(Engine):
    default_model = "flux"
"""


def install(folder: Path, points: Mapping[str, str]) -> None:
    """Write an installed distribution with a module `night_sky` and these entry points."""
    (folder / "night_sky.py").write_text(NIGHT)
    info = folder / "night_sky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: night-sky\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{lines}")


def test_an_installed_package_brings_a_provider_and_a_broken_one_is_one_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = {
        "bad": "night_sky:Absent",
        "gone": "no_such_module_7:Sky",
        "night": "night_sky:Night",
        "number": "night_sky:Night.label",
        "thief": "night_sky:Thief",
    }
    install(tmp_path, points)
    monkeypatch.syspath_prepend(tmp_path)
    assert providers.get_provider("flux") is BlackForestLabs_Flux1Schnell
    assert "night_sky" not in sys.modules, "a model of this package loads no other's"
    try:
        assert providers.get_provider("night").label == "Night"
        assert made(model="night").record.provider == "Night"
        assert providers.list_model_names()[-2:] == ["night", "night-1"]
        with pytest.raises(
            InvalidRequest, match=r"there is no model 'day': choose one of .*, night, night-1"
        ) as caught:
            providers.get_provider("day")
    finally:
        sys.modules.pop("night_sky", None)
    head, package = "note: the provider", "of the package night-sky is left out"
    no_class = "give a subclass of flux_magic.providers.base.Provider"
    taken = "Thief cannot have the model name 'flux': BlackForestLabs_Flux1Schnell has it already"
    assert capsys.readouterr().err.splitlines() == [
        f"{head} bad {package}: AttributeError: module 'night_sky' has no attribute 'Absent'",
        f"{head} gone {package}: ModuleNotFoundError: No module named 'no_such_module_7'",
        f"{head} number {package}: InvalidArgument: 'Night' is no provider: {no_class}",
        f"{head} thief {package}: InvalidArgument: {taken}",
    ]
    assert "the provider bad of the package night-sky is left out" in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        pytest.param(Engine(None), "is no provider: give a subclass of", id="an instance"),  # type: ignore[arg-type]
        pytest.param(type("Bare", (Provider,), {}), "Bare is no whole provider: it lacks ", id="what it lacks"),
        pytest.param(type("Mute", (Engine,), {"label": ""}), "Mute needs a label, and", id="no label"),
        pytest.param(
            type("Rival", (Engine,), {"engine": "inference"}),
            "Rival cannot have the engine name 'inference': InferenceProviders has it already",
            id="an engine's name that is taken",
        ),
        pytest.param(
            type("Thief", (Engine,), {"default_model": "flux"}),
            "Thief cannot have the model name 'flux': BlackForestLabs_Flux1Schnell has it already",
            id="a name that is taken",
        ),
    ],
)
def test_what_cannot_be_registered_is_one_clear_error(provider: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        providers.register_provider(provider)
    assert "engine" not in providers.list_model_names()


def test_a_provider_is_registered_once_and_taken_back() -> None:
    assert providers.register_provider(Engine) is providers.register_provider(Engine) is Engine
    assert providers.list_model_names().count("engine") == 1
    providers.unregister_provider(Engine)
    providers.unregister_provider(Engine)
    with pytest.raises(FluxError, match="there is no model 'engine'"):
        made()


def test_a_named_space_is_its_id_and_its_endpoint() -> None:
    class Nocturne(GradioProvider):
        label = "Nocturne"
        space = "someone/nocturne"
        endpoint = "paint"
        default_model = "nocturne"
        parameters: ClassVar[dict[str, str]] = {"words": "prompt", "seed": "seed"}

    assert Nocturne.url == "https://someone-nocturne.hf.space"
    assert Nocturne.api_endpoint == "https://someone-nocturne.hf.space/call/paint"
    assert (Nocturne.own_space(), Nocturne.names()) == ("someone/nocturne", ["nocturne"])


@pytest.mark.parametrize(("space", "parsed"), [(None, 1), ("c/d", 3)])
def test_a_request_resolves_its_target_once(monkeypatch: pytest.MonkeyPatch, space: str | None, parsed: int) -> None:
    provider = installed(monkeypatch)
    asked = settings.resolve(space=space)
    with (
        mock.patch.object(Space, "parse", wraps=Space.parse) as parse,
        mock.patch.object(target, "choose_provider", wraps=registry.choose_provider) as choose,
    ):
        image = asyncio.run(AsyncClient().make(ImageRequest("a fox", seed=1), asked))
    assert image.record.provider == ("Scripted" if space is None else "Gradio Space")
    assert (parse.call_count, choose.call_count, len(provider.made)) == (parsed, 1, 1)


def test_an_engine_makes_the_images_of_any_model_that_it_takes() -> None:
    """`--provider` chooses it; the record and its cell name it, and no name of a model leads to it."""

    class Nocturne(Engine):
        label = "Nocturne"
        engine = "nocturne"

        @classmethod
        def get_model(cls, model: str) -> str:
            return model or "night-1"

        async def environment(self) -> Mapping[str, Any]:
            return {"hardware": "two cores", "details": {"device": "cpu"}}

    with pytest.raises(InvalidRequest, match="there is no provider 'nocturne': choose one of space"):
        made(provider="nocturne")
    providers.register_provider(Nocturne)
    try:
        first = made(provider="nocturne:north", model="moon/light")
        record = first.record
        assert (record.requested_provider, record.requested_model) == ("nocturne:north", "moon/light")
        assert (record.provider, record.space, record.circumstances.details) == (
            "Nocturne",
            "provider:Nocturne",
            {"device": "cpu"},
        )
        assert parse_record(json.loads(json.dumps(record.as_dict()))) == record
        said = "--model moon/light --provider nocturne:north"
        assert first.command() == f"%%flux --steps 2 --seed 7 --size 128x96 {said}\na fox"
        assert made(provider="nocturne:north", model="moon/light").replayed
        assert cell.read(said, "a fox", {}).settings.provider == "nocturne:north"
        assert not made(provider=Nocturne, model="moon/light", seed=8).record.requested_provider
        with pytest.raises(InvalidRequest, match="there is no model 'moon/light'"):
            made(model="moon/light")
        with pytest.raises(InvalidArgument, match="cannot have the engine name 'nocturne': Nocturne has it already"):
            providers.register_provider(type("Other", (Nocturne,), {}))
    finally:
        providers.unregister_provider(Nocturne)


class Ink(Engine):
    """An engine that takes models of the Hub alone, and of them what Engine takes."""

    label = engine = "ink"
    defaults: ClassVar[dict[str, int]] = {}

    @classmethod
    def names(cls) -> list[str]:
        return []

    @classmethod
    def get_model(cls, model: str) -> str:
        if model not in {"", settings.DEFAULT_MODEL} and "/" not in model:
            raise InvalidRequest(f"ink has no {model}")
        return model if "/" in model else "pen/black"


def test_a_panel_chooses_the_provider_as_it_chooses_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel_module, "find_path", lambda: tmp_path / "panels" / "one.json")
    providers.register_provider(Ink)
    panel = Panel(prompt="a fox", steps=20, seed=5, size="128x96")
    try:
        panel.take(model="flux-dev", space="a/b")
        controls, named = panel._controls, panel._controls._named.widget
        assert controls.place.children == (controls.provider, controls.model, controls.space)
        assert panel._controls.provider.options == ("space", "inference", "diffusers", "ink")
        panel._controls.provider.value = "ink"
        settle()
        dev = "black-forest-labs/FLUX.1-dev"
        assert (panel.provider, panel.model, panel.get_range("steps"), panel.steps) == ("ink", dev, (2, 9), 9)
        assert controls.place.children == (controls.provider, named)
        assert panel._folds._buttons["model"].description == f"Model and Space: ink, {dev}"
        with pytest.raises(InvalidRequest, match="steps is 10: this model takes 2 to 9"):
            panel.steps = 10
        named.value = "pencil"
        assert (str(panel._refusals), panel.model, panel._generate.disabled) == ("ink has no pencil", dev, True)
        assert panel._status.text.startswith("steps is now 9: this model takes 2 to 9; height 96 is left out")
        named.value = "pen/red"
        panel.parameters = {"shift": 2.0}
        panel.generate()
        image = panel.wait(PATIENCE)
        assert isinstance(image, Generation)
        assert (image.record.requested_provider, image.record.requested_model) == ("ink", "pen/red")
        assert (image.record.space, image.record.requested_space) == ("provider:ink", None)
        assert "--model pen/red --provider ink" in panel._keeper.cell.value
        assert made(provider="ink", model="pen/red", steps=9, seed=5, height=None, parameters={"shift": 2.0}).replayed
        named.value = ""
        assert (panel.model, named.placeholder) == ("flux", "pen/black")
        panel.close()
        again = Panel(prompt="a fox", steps=20, seed=5, size="128x96")
        assert (again.provider, again.model, again.space, again.parameters) == ("ink", "flux", "a/b", {"shift": 2.0})
        again._controls.provider.value = "space"
        assert (again.provider, again.model, again.space) == ("space", "flux", "a/b")
        again._bring_back(image)
        assert (again.provider, again.model, again.parameters) == ("ink", "pen/red", {"shift": 2.0})
        again.provider = "space"
        assert again.model == "flux", "no Space has pen/red"
        again.close()
        with pytest.raises(InvalidTrait, match="there is no provider 'pencil': choose one of space, inference"):
            Panel(provider="pencil")
        with pytest.raises(InvalidRequest, match="ink makes its images without a Space: leave out --space a/b"):
            Panel(provider=Ink, space="a/b")
        assert _parse_panel_line("--provider ink --model pen/red a fox") == {
            "provider": "ink",
            "model": "pen/red",
            "prompt": "a fox",
        }
    finally:
        close(panel)
        providers.unregister_provider(Ink)


class Batch(Ink):
    """An engine that makes several images at once, the last one first; those of odd seeds fail on demand."""

    label = engine = "batch"
    waiting: ClassVar[list[asyncio.Event]] = []
    most: ClassVar[int] = 3
    fails: ClassVar[bool] = False

    @classmethod
    def count_at_once(cls, settings: settings.Settings) -> int:  # noqa: ARG003
        return cls.most

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        yield Running(1, 1)
        yield Preview([f"data:image/jpeg;base64,{request.seed}"])
        mine = asyncio.Event()
        self.waiting.append(mine)
        if len(self.waiting) == self.most:
            self.waiting.pop().set()
        await mine.wait()
        if self.waiting:
            self.waiting.pop().set()
        if self.fails and request.seed == 2:
            raise InvalidRequest("seed 2 is not taken")
        yield ImageResponse([str(request.seed)], request.prompt)


@pytest.mark.parametrize("fails", [pytest.param(False, id="all are made"), pytest.param(True, id="the second fails")])
@pytest.mark.parametrize("is_async", [pytest.param(False, id="blocking"), pytest.param(True, id="async")])
def test_several_images_of_an_engine_with_batches_come_in_order(
    monkeypatch: pytest.MonkeyPatch, *, fails: bool, is_async: bool
) -> None:
    monkeypatch.setattr(Batch, "fails", fails)
    monkeypatch.setattr(Batch, "waiting", [])
    providers.register_provider(Batch)
    events: list[Any] = []
    options: dict[str, Any] = {"provider": "batch", "seed": 1, "count": 3, "quiet": True, "on_event": events.append}
    try:
        with pytest.raises(InvalidRequest, match="seed 2") if fails else nullcontext():
            if is_async:
                options.pop("quiet")
                asyncio.run(AsyncClient().generate("a fox", **options))
            else:
                generate("a fox", **options)
    finally:
        providers.unregister_provider(Batch)
    assert [one.seed for one in events if isinstance(one, Generation)] == ([1] if fails else [1, 2, 3])
    shown = [find_previews(one) for one in events if isinstance(one, Preview)]
    assert tuple(f"data:image/jpeg;base64,{seed}" for seed in (1, 2, 3)) in shown
    drawn = render_html(ProgressLine("step 1 of 1", 1, 1, shown[2]))
    assert re.findall('alt="(.*?)"', drawn) == [f"unfinished image {place} of 3" for place in (1, 2, 3)]


DUSK = """
import io

from PIL import Image

from flux_magic.parameters.table import Parameter
from flux_magic.providers.base import ModelDescription, Provider
from flux_magic.types import ImageResponse, Running


class Dusk(Provider):
    label = "Dusk"
    engine = "dusk"

    @classmethod
    def names(cls):
        return []

    @classmethod
    def get_model(cls, model):
        return model or "dusk-1"

    async def describe(self, model=""):
        rows = (Parameter(name="steps", help="", least=1, most=8), Parameter(name="warmth", help="", kind=float))
        return ModelDescription(self.get_model(model), self.label, rows)

    async def stream(self, request):
        for step in range(1, 3):
            yield Running(step, 2)
        image = Image.new("RGB", (64, 48), (request.seed % 256, int(request.parameters.get("warmth", 0)), 0))
        out = io.BytesIO()
        image.save(out, "PNG")
        self.data = out.getvalue()
        yield ImageResponse([""], request.prompt, request.seed)

    async def fetch(self, file):
        return self.data

    async def environment(self):
        return {"details": {"device": "easel"}}
"""


def test_an_engine_of_another_package_is_short_and_does_all_that_ours_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record, replay, sweep, panel, verify and dry run need nothing but the contract."""
    assert len(DUSK.strip().splitlines()) < 60
    monkeypatch.setattr(sys.modules[__name__], "NIGHT", DUSK)
    install(tmp_path, {"dusk": "night_sky:Dusk"})
    monkeypatch.syspath_prepend(tmp_path)
    dusk: dict[str, Any] = {"provider": "dusk", "model": "any/model", "quiet": True}
    monkeypatch.setattr(settings, "_configured", lambda: {"provider": "dusk"})
    try:
        image = made(**dusk, parameters={"warmth": 7.0})
        record = image.record
        assert (record.provider, record.model, record.space) == ("Dusk", "any/model", "provider:Dusk")
        assert (record.seed, record.circumstances.details) == (7, {"device": "easel"})
        assert "--model any/model --provider dusk --set warmth=7" in image.command()
        assert made(**dusk, parameters={"warmth": 7.0}).replayed
        swept = sweep("a fox", seed=[1, 2], parameters={"warmth": [0.0, 90.0]}, **dusk)
        assert len({one.digest for one in swept}) == 4
        panel = Panel(model="flux-dev", prompt="a fox", steps=8, seed=9)
        try:
            settle()
            panel.generate()
            shown = panel.wait(PATIENCE)
            assert isinstance(shown, Generation)
            assert (panel.get_range("steps"), shown.record.requested_provider) == ((1, 8), "dusk")
        finally:
            close(panel)
        path = image.save(tmp_path / "fox.png")[0]
        assert asyncio.run(check([path])).passed, "it costs nothing, and it is the configured one"
        monkeypatch.setattr(settings, "_configured", dict)
        [verdict] = asyncio.run(check([path])).verdicts
        assert verdict.why == "not asked: it was made by dusk; to ask it, add --provider dusk"
        assert asyncio.run(check([path], provider="dusk")).passed
        assert "it would go to Dusk" in cell.read("--provider dusk", "a fox", {}).describe()
    finally:
        sys.modules.pop("night_sky", None)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_without_its_libraries_diffusers_says_in_one_line_what_it_needs() -> None:
    """The environments of older Pythons have this test as well."""
    needs = (
        "Python 3.11 or later, and this is 3.10" if sys.version_info < (3, 11) else ".*, which is not installed: pip"
    )
    known = settings.resolve(provider="diffusers", model="someone/fox")
    try:
        for ask in (
            lambda: made(provider="diffusers", model="someone/fox"),
            lambda: asyncio.run(AsyncClient().fetch_description(known)),
        ):
            with pytest.raises(MissingExtra, match=f"^the provider diffusers needs {needs}") as caught:
                ask()
            assert "\n" not in caught.value.message
    finally:
        worker.close()
