"""The memory of a panel: what comes back when its cell runs again, and what never gets into its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flux_magic.client import blocking
from flux_magic.jupyter.panel import Panel, memory
from flux_magic.jupyter.panel import panel as panel_module
from flux_magic.parameters import settings
from flux_magic.results.generations import Generations
from tests.support.limits import PATIENCE
from tests.unit import test_panel
from tests.unit.samples import encoded, notebook
from tests.unit.scripted import Scripted, installed, settle
from tests.unit.test_panel import image, make

fresh = test_panel.fresh


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    return installed(monkeypatch)


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of each panel that is opened in a test, as if it were of one cell."""
    kept = tmp_path / "panels" / "one.json"
    monkeypatch.setattr(panel_module, "find_path", lambda: kept)
    return kept


def run_again(panel: Panel, **options: Any) -> Panel:
    """Return the panel that the same cell opens in another kernel."""
    panel.close()
    blocking.history.clear()
    return make(**{"prompt": None, **options})


def test_all_that_was_set_and_made_comes_back() -> None:
    panel = make(prompt=None, steps=4)
    panel.prompt, panel.seed, panel.count, panel.width = "a hen", 3, 2, 512
    panel.compared, panel.parameters, panel.space = {"seed": "1..3"}, {"shift": 2.5}, "https://other.example"
    panel.images = encoded()
    panel.generate()
    made = image(panel)
    again = run_again(panel, steps=4)
    names = ("prompt", "seed", "count", "width", "height", "steps", "compared", "parameters", "space")
    assert {name: getattr(again, name) for name in names} == {name: getattr(panel, name) for name in names}
    assert [one.record.digest for one in again.images] == [one.record.digest for one in panel.images]
    assert again.generation is not None
    assert (again.generation.digest, again.generation.seed) == (made.digest, 4)
    settle()
    assert len(again._strip) == 2


def test_a_sheet_comes_back_with_its_images(path: Path) -> None:
    panel = make(compare_seeds="1,2", compare_steps="1..3")
    panel.compare()
    made = panel.wait(PATIENCE)
    again = run_again(panel, prompt="a fox", compare_seeds="1,2", compare_steps="1..3")
    assert isinstance(again.generations, Generations)
    assert isinstance(made, Generations)
    assert repr(again.generations) == repr(made)
    assert (again.generations.axes, again._strip.widget.children[0].children[1].description) == (
        made.axes,
        "sheet of 6\nseed × steps",
    )
    again.close()
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "shown": ["0" * 64, *kept["shown"][1:]]}))
    assert make(prompt="a fox", compare_seeds="1,2", compare_steps="1..3").generations is None
    assert make(prompt="a hen").generations is None  # it was opened with other options


@pytest.mark.parametrize(
    ("options", "prompt", "steps", "count"),
    [
        pytest.param({}, "a hen", 9, 3, id="all of it"),
        pytest.param({"prompt": "a fox", "count": 1}, "a fox", 9, 1, id="an option wins"),
        pytest.param({"size": "256x256"}, "a hen", 9, 3, id="another option"),
        pytest.param({"space": "https://other.example"}, "a hen", 2, 3, id="at another Space what any model has"),
        pytest.param({"new": True}, "", 2, 1, id="start over"),
    ],
)
def test_an_option_wins_over_what_was_set(options: dict[str, Any], prompt: str, steps: int, count: int) -> None:
    panel = make(prompt=None)
    panel.prompt, panel.steps, panel.count, panel.width = "a hen", 9, 3, 512
    again = run_again(panel, **options)
    assert (again.prompt, again.steps, again.count) == (prompt, steps, count)
    assert again.width == {"size": 256, "new": 768, "space": 768}.get(next(iter(options), ""), 512)


def test_the_panel_that_is_opened_last_has_the_file() -> None:
    panel = make(prompt=None)
    panel.prompt = "a hen"
    again = make(prompt=None)
    assert again.prompt == "a hen"
    again.prompt, panel.prompt = "a lighthouse", "a fox"
    panel.close()
    assert run_again(again).prompt == "a lighthouse"


def test_what_is_configured_later_holds_where_nothing_was_set() -> None:
    panel = make(prompt=None)
    panel.prompt = "a hen"
    settings.configure_by(lambda: {"steps": 7})
    try:
        again = run_again(panel)
    finally:
        settings.configure_by(dict)
    assert (again.prompt, again.steps) == ("a hen", 7)


WHOLE: dict[str, Any] = {
    "place": ["flux", ""],
    "values": {},
    "opened_with": "",
    "made": [],
    "shown": [],
    "axes": [],
    "positions": [],
}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"place": [', id="cut off"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"[" * 10_000, id="nested"),
        pytest.param(json.dumps({**WHOLE, "values": 5}).encode(), id="no values"),
        pytest.param(json.dumps({**WHOLE, "values": {"prompt": 5, "steps": "x", "seed": -1}}).encode(), id="refused"),
        pytest.param(json.dumps({**WHOLE, "values": {"layout": 5, "busy": True}}).encode(), id="no options"),
        pytest.param(
            json.dumps({**WHOLE, "values": {"images": [5, ["image", "/etc/hosts"], ["", "sha256:0"]]}}).encode(),
            id="no images",
        ),
        pytest.param(json.dumps({**WHOLE, "made": ["../x", "0" * 64], "shown": ["*"]}).encode(), id="no digests"),
        pytest.param(json.dumps({**WHOLE, "axes": [5], "positions": ["x"]}).encode(), id="no sheet"),
        pytest.param(json.dumps({**WHOLE, "made": "x" * memory.MOST_BYTES}).encode(), id="too large"),
    ],
)
def test_a_damaged_file_is_ignored(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    panel = make(prompt=None)
    assert (panel.prompt, panel.steps, panel.seed, panel.images, panel.generation) == ("", 2, None, (), None)
    panel.prompt = "a hen"
    assert run_again(panel).prompt == "a hen"


def test_no_secret_gets_into_the_file_and_none_grows_without_bounds(path: Path) -> None:
    panel = make(prompt=None)
    panel.prompt, panel.steps = "hf_abcdefghijklmnop", 5
    panel.space = "https://me:secret@space.example"
    panel.close()
    kept = path.read_text()
    assert "hf_" not in kept
    assert "secret" not in kept
    assert json.loads(kept)["values"] == {"steps": 5, "width": None, "height": None}  # another Space's own size
    for number in range(memory.MOST_FILES + 5):
        path.with_name(f"{number}.json").write_text("{}")
    path.unlink()
    other = make(prompt="x" * memory.MOST_BYTES)
    other.prompt = "x" * memory.MOST_BYTES + "y"
    other.steps = 7
    other.close()
    assert not path.exists()
    panel = make()
    panel.steps = 3
    panel.close()
    assert len(list(path.parent.iterdir())) == memory.MOST_FILES


def test_a_file_is_that_of_the_notebook_the_cell_and_the_panel_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert memory.find_path() is None
    with notebook(tmp_path):
        shell: Any = InteractiveShell.instance()
        assert memory.find_path() is None
        found = []
        for session, cell, request in [("a", "1", "x"), ("a", "1", "x"), ("b", "1", "y"), ("a", "2", "z")]:
            monkeypatch.setenv("JPY_SESSION_NAME", f"/home/{session}.ipynb")
            shell.parent_header = {"header": {"msg_id": request}, "metadata": {"cellId": cell}}
            found.append(memory.find_path())
        assert len(set(found)) == 4
        monkeypatch.setenv("JPY_SESSION_NAME", "/home/a.ipynb")
        shell.parent_header = {"header": {"msg_id": "another"}, "metadata": {"cellId": "1"}}
        assert memory.find_path() == found[0]
        settings.configure_by(lambda: {"store": False})
        try:
            assert memory.find_path() is None
        finally:
            settings.configure_by(dict)
