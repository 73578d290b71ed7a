"""The panel of three models that differ in all that a model can take: controls, values, images that go in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import pytest
from traitlets import TraitError

from flux_magic.errors import InvalidRequest
from flux_magic.jupyter.panel import Panel
from flux_magic.parameters.sizes import SIZE_STEP
from flux_magic.parameters.table import Parameter
from flux_magic.providers.base import ModelDescription
from flux_magic.results.generations import Generations
from flux_magic.types import ImageRequest
from tests.unit import test_panel
from tests.unit.samples import encoded
from tests.unit.scripted import ADDRESS, Scripted, answer, installed, settle
from tests.unit.test_panel import control, image, make, text

fresh = test_panel.fresh


def row(name: str, kind: type = int, least: float | None = None, most: float | None = None, **more: Any) -> Parameter:
    return Parameter(name=name, help="", kind=kind, least=least, most=most, **more)


SIDES = (row("width", int, 250, 2050, step=32, default=1024), row("height", int, 256, 2048, default=1024))
QUICK = ModelDescription(
    "scripted-1", "Scripted", (row("seed", int, 0, 2**31 - 1), *SIDES, row("steps", int, 1, 50, default=4))
)
GUIDED = ModelDescription(
    "guided-1",
    "Guided",
    (
        row("negative_prompt", str, default=""),
        row("seed", int, 0, 999_999),
        *SIDES,
        row("guidance", float, 1.0, 10.0, default=3.5, step=0.5, own_name="cfg_scale"),
        row("steps", int, 1.0, 100.0, default=28),
        row("style", str, choices=("(No style)", "Cinematic, dark"), default="(No style)", title="Image Style"),
        row("shift", float, 1.0, 10.0, default=3.0),
        row("tiles", int),
        row("enhance", bool, default=True),
        row("fast", bool),
    ),
    rewrites=("enhance",),
    endpoints=("/infer", "/infer_2"),
)
EDITING = ModelDescription(
    "editing-1",
    "Editing",
    (
        row("guidance", float, 1.0, 4.0, default=2.5),
        row("ckpt", str, choices=("4-Step", "8-Step"), default="4-Step"),
        row("resolution", str, choices=("1024x1024 ( 1:1 )", "1344 × 768 (Wide)"), default="1344 × 768 (Wide)"),
    ),
    sizes=((1024, 1024), (1344, 768)),
    input_images=2,
    needs_image=True,
    takes_mask=True,
    seeded=False,
)


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> list[ImageRequest]:
    """Provide three models, `flux`, `guided` and `editing`; return what they are asked for."""
    asked: list[ImageRequest] = []

    def provide(described: ModelDescription, names: tuple[str, ...], defaults: dict[str, int]) -> type[Scripted]:
        class One(Scripted):
            label = described.provider
            url = f"https://{names[0]}.example"
            default_model = described.model
            model_aliases: ClassVar[dict[str, str]] = dict.fromkeys(names, described.model)
            script: ClassVar[list[Any]] = [answer()]
            pictures: ClassVar[dict[str, bytes]] = {ADDRESS: encoded()}
            made: ClassVar[list[Scripted]] = []

            async def describe(self, model: str = "") -> ModelDescription:  # noqa: ARG002 - it has one
                return described

            async def stream(self, request: ImageRequest) -> Any:
                asked.append(request)
                async for event in super().stream(request):
                    yield event

        One.defaults = defaults
        return One

    installed(monkeypatch)
    quick = provide(QUICK, ("flux", "flux-schnell"), {"steps": 2, "width": 768, "height": 768})
    others = [provide(GUIDED, ("guided",), {}), provide(EDITING, ("editing",), {})]
    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (quick, *others))
    return asked


def described(*given: Any, **options: Any) -> Panel:
    """Return a panel whose model has described itself."""
    panel = make(*given, **options)
    settle()
    return panel


def choose(panel: Panel, model: str) -> None:
    """Choose a model as a user does, and wait for its description."""
    panel._controls.model.value = model
    settle()


def labels(panel: Panel) -> list[str]:
    """Return the labels of the model's own controls on view, and what is in place of others."""
    shown = {
        "Size": panel._controls.size.widget,
        "Seed": panel._controls._seeds,
        "Input": panel._controls.inputs.widget,
    }
    places = [name for name, widget in shown.items() if widget.layout.display != "none"]
    return [*places, *(field.control.description for field in panel._controls.fields.values())]


USUAL = ["Size", "Seed", "Width", "Height", "Steps"]


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        pytest.param("flux", USUAL, id="the usual"),
        pytest.param(
            "guided",
            ["Size", "Seed", "Negative prompt", "Width", "Height", "Guidance", "Steps", "Image Style", "Shift", "Tiles",
             "Enhance", "Fast", "Endpoint"],
            id="guidance and choices",
        ),
        pytest.param("editing", ["Size", "Input", "Guidance", "Ckpt"], id="edits at fixed sizes"),
    ],
)  # fmt: skip
def test_a_model_has_the_controls_of_its_description(model: str, shown: list[str]) -> None:
    assert labels(described(model=model)) == shown
    panel = described()
    choose(panel, model)
    assert labels(panel) == shown
    choose(panel, "flux")
    assert sorted(labels(panel)) == sorted(USUAL)
    assert (panel.width, panel.height, panel.steps, control(panel, "width").step) == (768, 768, 2, SIZE_STEP)


def test_before_it_is_known_what_a_model_takes_the_usual_controls_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    panel = described()
    assert sorted(labels(panel)) == sorted(USUAL)
    assert (control(panel, "steps").value, panel.steps, panel.size) == (2, 2, "768x768")
    set_by_hand = described(guidance=3.5, parameters={"shift": 2.0})
    assert set(labels(set_by_hand)) - {*USUAL} == {"Guidance", "Shift"}  # what is sent is seen
    set_by_hand.guidance = None
    assert control(set_by_hand, "guidance").disabled  # its default is not known


@pytest.mark.parametrize(
    ("name", "kind", "shows", "sets", "value"),
    [
        pytest.param("steps", "IntSlider", 28, 40, 40, id="steps"),
        pytest.param("guidance", "FloatSlider", 3.5, 7.0, 7.0, id="guidance"),
        pytest.param("shift", "FloatSlider", 3.0, 4.5, 4.5, id="own number"),
        pytest.param("style", "Dropdown", "default: (No style)", "Cinematic, dark", "Cinematic, dark", id="choice"),
        pytest.param("enhance", "Checkbox", True, False, False, id="switch"),
        pytest.param("fast", "Dropdown", "the Space's default", True, True, id="switch without a default"),
        pytest.param("tiles", "Text", "", " 4", 4, id="number without a range"),
        pytest.param("negative_prompt", "Text", "", "blurry, dark", "blurry, dark", id="words"),
    ],
)
def test_a_control_shows_the_models_default_and_what_is_left_is_not_sent(
    models: list[ImageRequest], name: str, kind: str, shows: Any, sets: Any, value: Any
) -> None:
    panel = described(model="guided")
    field = panel._controls.fields[name]
    assert type(field.control).__name__ == kind
    assert (field.control.label if kind == "Dropdown" else field.control.value) == shows
    panel.generate()
    image(panel)
    left = control(panel, name).value
    assert (dict(models[0].parameters), models[0].steps, models[0].width) == ({}, None, None)
    field.control.value = sets
    assert panel.get_value(name) == value
    panel.generate()
    image(panel)
    assert models[1].get_value(name) == value
    if hasattr(field, "left"):
        assert not field.left.value
        field.left.value = True
    else:
        field.control.value = left
    assert (panel.get_value(name), field.control.value) == (None, left)


def test_choices_and_ranges_are_the_models(models: list[ImageRequest]) -> None:
    panel = described(model="guided")
    assert [label for label, _ in control(panel, "style").options] == [
        "default: (No style)", "(No style)", "Cinematic, dark",
    ]  # fmt: skip
    assert (control(panel, "width").min, control(panel, "width").max, control(panel, "width").step) == (256, 2048, 32)
    assert control(panel, "height").step == SIZE_STEP
    assert panel._controls.size.size.options[0] == ("default: 1024 × 1024", "own")
    for name, value, says in (
        ("guidance", 11.0, "guidance is 11.0: this Space takes 1.0 to 10.0"),
        ("parameters", {"style": "oil"}, "style is 'oil': choose one of"),
        ("parameters", {"shfit": 2.0}, "shfit is 2.0: this model does not take it; did you mean shift"),
        ("parameters", {"guidance": 2.0}, "parameters has guidance, which is an option of its own"),
        ("strength", 0.5, "strength is 0.5: this model does not take it"),
    ):
        with pytest.raises(TraitError, match=says):
            setattr(panel, name, value)
    control(panel, "tiles").value = "many"
    assert (panel.parameters, control(panel, "tiles").value, panel._generate.disabled) == ({}, "many", True)
    assert text(panel).startswith("tiles is 'many': give a whole number")
    choose(panel, "flux")
    assert (text(panel), panel._generate.disabled, models) == ("", False, [])


def test_another_model_keeps_what_means_the_same_and_moves_the_rest() -> None:
    panel = described(model="guided", prompt="a hen", seed=7, guidance=9.0, size="1344x768", negative_prompt="dark")
    panel.set_value("shift", 5.0)
    panel.compared = {"guidance": "1,3", "shift": "1,2"}
    choose(panel, "editing")
    assert (panel.prompt, panel.guidance, panel.size) == ("a hen", 4.0, "1344x768")
    assert (panel.seed, panel.negative_prompt, panel.parameters) == (None, None, {})
    assert panel.compared == {"guidance": "1,3"}
    assert "guidance is now 4.0: this Space takes 1.0 to 4.0" in text(panel)
    assert "negative_prompt 'dark' is left out: this model does not take it" in text(panel)
    choose(panel, "guided")
    assert (panel.seed, panel.negative_prompt, panel.parameters) == (7, "dark", {"shift": 5.0})
    panel.size = "512x512"
    choose(panel, "editing")
    assert "the size is now this Space's own: it does not take 512x512" in text(panel)
    assert (panel.size, panel._controls.size.size.value) == ("", "own")


def test_a_default_that_was_not_chosen_is_not_another_models() -> None:
    panel = described()
    choose(panel, "guided")
    assert f"{panel.steps} {panel.size} {control(panel, 'steps').value}" == "None  28"  # and not 2
    choose(panel, "flux")
    assert f"{panel.steps} {panel.size}" == "2 768x768"
    panel.steps = None  # it has no other default
    assert f"{panel.steps}" == "2"
    panel.steps = 4
    choose(panel, "guided")
    assert panel.steps == 4


def test_a_space_is_chosen_as_what_it_is_and_a_model_at_its_own() -> None:
    panel = described()
    panel._controls.space.value = "https://elsewhere.example"
    settle()
    assert (panel.model, panel.space) == ("flux", "https://elsewhere.example")
    assert dict(panel._controls.model.options)["what the Space is: scripted-1"] == "flux"
    choose(panel, "guided")
    assert (panel.model, panel.space) == ("guided", "https://guided.example")
    panel._controls.space.value = "owner/other"
    assert (panel.model, panel.space) == ("flux", "owner/other")
    panel._controls.space.value = "local"
    assert [value for _, value in panel._controls.model.options] == ["flux", "guided", "editing"]


def test_sizes_that_are_choices_take_the_sliders_place(models: list[ImageRequest]) -> None:
    panel = described(model="editing", images=encoded())
    size, swap = panel._controls.size.size, panel._controls.size.swap
    assert [value for _, value in size.options] == ["own", (1024, 1024), (1344, 768)]
    assert size.label == "default: 1344 × 768"
    size.value = (1344, 768)
    assert (panel.size, swap.disabled) == ("1344x768", True)  # 768x1344 is not among them
    with pytest.raises(TraitError, match="width is 512: this Space takes 1024, 1344"):
        panel.width = 512
    panel.width = 1024
    with pytest.raises(InvalidRequest, match="size is 1024x768: this Space takes 1024x1024, 1344x768"):
        panel.generate()
    size.value = "own"
    panel.generate()
    image(panel)
    assert (models[0].width, models[0].height) == (None, None)


def upload(panel: Panel, which: str, *files: bytes) -> None:
    """Choose files as a page does, with the ipywidgets that is installed."""
    widget = getattr(panel._controls.inputs, which)
    if isinstance(widget.value, dict):
        told = [{"name": f"{number}.png", "type": "image/png", "size": len(one)} for number, one in enumerate(files)]
        widget.set_state({"data": [memoryview(one) for one in files], "metadata": told, "_counter": len(files)})
    else:
        one_of = {"name": "a.png", "type": "image/png", "size": 1, "last_modified": datetime.now(timezone.utc)}
        widget.value = tuple({**one_of, "content": memoryview(one)} for one in files)


def roles(panel: Panel) -> list[tuple[str, str]]:
    return [(one.role, one.record.digest[:4]) for one in panel.images]


def test_images_go_in_by_upload_and_are_removed_again(models: list[ImageRequest]) -> None:
    panel = described(model="editing")
    inputs = panel._controls.inputs
    with pytest.raises(InvalidRequest, match='this model edits an image: choose a file under Image, or press "Use as'):
        panel.generate()
    upload(panel, "image", encoded(colour=1))
    upload(panel, "mask", encoded(colour=2))
    upload(panel, "mask", encoded(colour=3))
    upload(panel, "image", encoded(colour=4))
    assert [role for role, _ in roles(panel)] == ["image", "mask", "image"]
    upload(panel, "image", encoded(colour=5))
    assert text(panel) == "this model takes at most 2 images: remove one"
    upload(panel, "image", b"<html>")
    assert "the image is" in text(panel)
    assert len(inputs.image.value) == 0  # the same file can be chosen again
    pictures = [item.children[0].value for item in inputs._items.children]
    assert [picture.count("<img") for picture in pictures] == [1, 1, 1]
    assert 'alt="mask that goes in, 8 × 6"' in pictures[1]
    panel.generate()
    made = image(panel)
    assert [one.role for one in models[0].images] == ["image", "image", "mask"]
    inputs._items.children[0].children[1].click()
    assert [role for role, _ in roles(panel)] == ["mask", "image"]
    choose(panel, "flux")
    panel.generate()
    image(panel)
    assert models[1].images == ()
    assert len(panel.images) == 2  # for a model that takes some
    panel._strip.widget.children[1].children[1].click()
    assert (panel.generation, panel.model) == (made, "editing")
    assert [one.role for one in panel.images] == ["image", "image", "mask"]  # as they went in


def test_a_result_goes_in_and_an_edit_is_edited_again(models: list[ImageRequest]) -> None:
    panel = described(seed=5)
    panel.generate()
    first = image(panel)
    assert "flux-magic-edits" not in panel._dom_classes
    choose(panel, "editing")
    assert "flux-magic-edits" in panel._dom_classes
    panel._strip.widget.children[0].children[2].click()
    panel.generate()
    edit = image(panel)
    [gone_in] = models[1].images
    assert (gone_in.data, gone_in.record.digest, len(gone_in.record.of)) == (first.data, first.digest, 64)
    panel._controls.inputs._items.children[0].children[1].click()
    panel._keeper.use.click()
    panel.generate()
    image(panel)
    assert [one.record.digest for one in models[2].images] == [edit.digest]
    panel.images = [first, encoded(colour=9)]
    panel.generate()
    image(panel)
    assert len(models[3].images) == 2
    with pytest.raises(TraitError, match="is 7: give"):
        panel.images = 7


def test_an_edit_opens_with_what_went_in_if_the_store_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path))
    panel = described(model="editing", images=encoded(colour=7))
    panel.generate()
    edit = replace(image(panel), request=ImageRequest("a fox", "editing"))  # as it is recalled from a file
    again = described(edit)
    assert [one.record.digest for one in again.images] == [edit.record.images[0].digest]
    assert text(again) == ""
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "another"))
    left = described(edit)
    assert left.images == ()
    assert text(left) == "an image that went in is not in the store: choose the file under Image"


def test_a_page_sends_an_image_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = described(model="editing")
    extras: Any = panel._extras
    data = encoded(colour=6)
    for at, left in ((0, 2), (10, 1), (20, 0)):
        piece = data[at:] if left == 0 else data[at : at + 10]
        extras._handle_custom_msg({"left": left}, [memoryview(piece)])
    assert [one.data for one in panel.images] == [data]
    monkeypatch.setattr("flux_magic.jupyter.panel.browser.MOST", 4)
    extras._handle_custom_msg({"left": 9}, [memoryview(data[:8])])  # no more of it is kept
    assert "the image is" in text(panel)
    assert len(panel.images) == 1


@pytest.mark.parametrize(
    ("model", "compared", "axes", "cell"),
    [
        pytest.param(
            "guided", {"guidance": "1, 3.5,7", "style": "Cinematic, dark,(No style)"},
            [("guidance", (1.0, 3.5, 7.0)), ("style", ("Cinematic, dark", "(No style)"))], "", id="number and choice",
        ),
        pytest.param(
            "guided", {"shift": "1,3", "seed": "1..3"}, [("seed", (1, 2, 3)), ("shift", (1.0, 3.0))],
            "%%flux --seed 1..3 --model guided --set shift=1.0,3.0\na fox", id="own",
        ),
        pytest.param(
            "flux", {"size": "512x512, 768x512", "steps": "4"}, [("size", ("512x512", "768x512"))],
            "%%flux --size 512x512,768x512 --steps 4 --seed 5\na fox", id="size",
        ),
    ],
)  # fmt: skip
def test_any_parameter_is_compared(
    model: str, compared: dict[str, str], axes: list[tuple[str, tuple[Any, ...]]], cell: str
) -> None:
    panel = described(model=model, seed=5)
    panel.compared = compared
    panel.compare()
    sheet = panel.wait()
    assert isinstance(sheet, Generations)
    assert [(axis.name, axis.values) for axis in sheet.axes] == axes
    if cell:
        assert panel._keeper.cell.value == cell
    else:
        assert "flux_magic.sweep('a fox', " in panel._keeper.cell.value
    panel.compared = {}
    panel._strip.widget.children[0].children[1].click()
    assert panel.compared.keys() == {name for name, _ in axes}


@pytest.mark.parametrize(
    ("compared", "says"),
    [
        pytest.param({"guidance": "1,11"}, "Guidance 11.0: this Space takes 1.0 to 10.0", id="out of range"),
        pytest.param({"style": "oil"}, r"Image Style oil: choose from \(No style\), Cinematic, dark", id="no choice"),
        pytest.param({"shift": "1,x"}, "Shift x: give a number", id="no number"),
        pytest.param({"strength": "0,1"}, "strength cannot be compared: choose one of seed, steps, size", id="strange"),
    ],
)
def test_what_cannot_be_compared_is_one_line(compared: dict[str, str], says: str) -> None:
    def compare() -> None:
        panel.compared = compared
        panel.compare()

    panel = described(model="guided")
    with pytest.raises(InvalidRequest, match=f"^{says}"):
        compare()


def test_the_lists_of_compare_are_the_models() -> None:
    panel = described(model="guided", compare_steps="1,2")
    first, second = panel._row.names
    assert [(one.value, field.description) for one, field in zip(panel._row.names, panel._row.values, strict=True)] == [
        ("seed", "Seeds"), ("steps", "Steps"),
    ]  # fmt: skip
    assert [value for _, value in first.options] == ["seed", "size", "guidance", "style", "shift", "tiles"]
    first.value = "guidance"
    panel._row.values[0].value = "1,3"
    assert panel.compared == {"steps": "1,2", "guidance": "1,3"}
    second.value = "seed"
    assert (panel.compared, panel.compare_steps, panel._row.values[1].value) == ({"guidance": "1,3"}, "", "")
    with pytest.raises(TraitError, match="compared has 3 parameters: at most 2 vary at once"):
        panel.compared = {"seed": "1,2", "steps": "1,2", "guidance": "1,3"}
    choose(panel, "editing")
    assert [value for _, value in first.options] == ["guidance", "ckpt"]


def test_save_replaces_another_image_only_if_that_is_ticked(tmp_path: Path) -> None:
    panel = described(seed=5)
    panel.generate()
    image(panel)
    place = tmp_path / "fox.png"
    place.write_bytes(encoded(colour=200))
    panel._keeper.path.value = str(place)
    panel._keeper.save.click()
    assert text(panel).endswith("Give another name, or tick “replace”.")
    assert "overwrite" not in text(panel)
    panel._keeper.replace.value = True
    panel._keeper.save.click()
    assert text(panel) == f"saved {place}"
