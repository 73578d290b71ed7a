"""Cells that are run again: what differs between two users is left out, and what is shown is compared by its pixels."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from flux_magic.capsules import rerun
from flux_magic.capsules.cells import Cell
from flux_magic.capsules.contents import copy, list_unlike
from flux_magic.capsules.requirements import list_imports
from flux_magic.errors import CapsuleError
from flux_magic.records.signing import Credentials
from tests.support.capsules import cell, printed, write_cells

ADA = "Ada (self-made with flux_magic)"
CREDENTIALS = Credentials("intact", signer=ADA, trusted=True, signed="2026-11-30 00:22 UTC")
OTHERS = Credentials("intact", signer="a capsule (self-made with flux_magic)", signed="2027-01-02 03:04 UTC")
ALTERED = Credentials("altered", signer=ADA, signed="2026-11-30 00:22 UTC")
WRAPPED = (
    "signed by Ada (self-made with flux_magic) on 2026-11-30 00:22 UTC, unchanged\n"
    "  since; its certificate is on\n  a trust list"
)


def fail(name: str, value: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": []}


def shown(text: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}


LONG = "a fox " * 30
STRINGS: list[Any] = [
    pytest.param(
        [shown("signed  by Ada (content credentials, C2PA)\n%%flux")],
        [shown("signed  by Bo (content credentials, C2PA)\n%%flux")],
        "as saved",
        "",
        id="row",
    ),
    pytest.param([printed(str(CREDENTIALS))], [printed(str(OTHERS))], "as saved", "", id="sentence"),
    pytest.param([printed(WRAPPED)], [printed(str(OTHERS))], "as saved", "", id="wrapped"),
    pytest.param([printed(repr(CREDENTIALS))], [printed(repr(OTHERS))], "as saved", "", id="repr"),
    pytest.param([printed(str(CREDENTIALS.as_dict()))], [printed(str(OTHERS.as_dict()))], "as saved", "", id="values"),
    pytest.param([printed(str(CREDENTIALS))], [printed(str(ALTERED))], "differs", "but altered since", id="altered"),
    pytest.param(
        [printed("5")],
        [fail("ModuleNotFoundError", "No module named 'x'")],
        "differs",
        "it shows the error ModuleNotFoundError: No module named 'x'; saved is the text 5",
        id="error",
    ),
    pytest.param(
        [printed("1\n5")],
        [printed("1\n4"), fail("OSError", "gone")],
        "differs",
        "it shows the error OSError: gone; saved is the text 5",
        id="error at the end",
    ),
    pytest.param(
        [printed(f"{LONG}1")], [printed(f"{LONG}2")], "differs", "a fox 2; saved is the text …", id="long line"
    ),
    pytest.param([printed("5")], [], "differs", "it shows nothing; saved is the text 5", id="nothing"),
]


@pytest.mark.parametrize(("saved", "now", "state", "why"), STRINGS)
def test_who_signs_is_not_compared_and_the_reason_is_named(
    saved: list[dict[str, Any]], now: list[dict[str, Any]], state: str, why: str
) -> None:
    found = rerun.compare_cell("cell 1", Cell("cell 1", "code", "1", tuple(saved)), tuple(now))
    assert (found.state, bool(found.why)) == (state, bool(why))
    assert why in found.why


def draw(change: Callable[[Image.Image], object] = id, kind: str = "PNG", **how: Any) -> dict[str, Any]:
    """Return the output of a sheet, with one record, whatever its pixels are."""
    image = Image.radial_gradient("L").convert("RGB")
    change(image)
    image.save(out := io.BytesIO(), kind, **how)
    record = {"record": {"files": [{"digest": "ab" * 32}]}}
    data = {f"image/{kind.lower()}": base64.b64encode(out.getvalue()).decode(), "text/plain": "<flux sheet>"}
    return {"output_type": "display_data", "data": data, "metadata": {"flux_magic": {"sheet": [record]}}}


def paint(image: Image.Image) -> None:
    ImageDraw.Draw(image).rectangle((0, 0, 99, 255), "red")


@pytest.mark.parametrize(
    ("saved", "state", "why"),
    [
        pytest.param(draw(compress_level=1), "as saved", "", id="other bytes"),
        pytest.param(
            draw(lambda one: one.putpixel((128, 128), (1, 1, 1))), "as saved", "same to the eye", id="a pixel"
        ),
        pytest.param(draw(kind="JPEG", quality=95), "as saved", "same to the eye", id="JPEG"),
        pytest.param(draw(paint), "differs", "what is shown is not the same: saved are other pixels", id="painted"),
        pytest.param(
            draw() | {"data": {"image/png": "AAAA", "text/plain": "<flux sheet>"}},
            "differs",
            "cannot be read",
            id="no image",
        ),
        pytest.param(draw() | {"data": {"text/plain": "<flux sheet>"}}, "differs", "cannot be read", id="gone"),
    ],
)
def test_a_sheet_is_compared_by_its_pixels_too(saved: dict[str, Any], state: str, why: str) -> None:
    found = rerun.compare_cell("cell 1", Cell("cell 1", "code", "1", (saved,)), (draw(),))
    assert found.state == state
    assert why in found.why
    assert bool(why) is bool(found.why)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        pytest.param("raise SystemExit('no ipykernel here')", "no kernel starts in .*: no ipykernel here$", id="ends"),
        pytest.param("", "no kernel starts in .*: Kernel died", id="without a word"),
    ],
)
def test_a_kernel_that_does_not_start_says_why_and_leaves_nothing_behind(
    code: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import atexit

    left: list[object] = []
    monkeypatch.setattr(atexit, "register", lambda one, *_, **__: left.append(one))
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{code}\n")
    python.chmod(0o755)
    write_cells(tmp_path / "a.ipynb", cell("1"))
    (tmp_path / "home").mkdir()
    with pytest.raises(CapsuleError, match=why):
        rerun.rerun(tmp_path, ["a.ipynb"], python=str(python), home=tmp_path / "home", told=print)
    assert not [one for one in left if "nbclient" in getattr(one, "__module__", "")]


def make(seed: int, /, **asked: int) -> dict[str, Any]:
    record = {"requested": {"prompt": "a fox", **asked}, "run": {"seed": seed}}
    return {"output_type": "display_data", "data": {}, "metadata": {"flux_magic": {"record": record}}}


@pytest.mark.parametrize(
    ("outputs", "notes"),
    [
        pytest.param([make(7, seed=7)], [], id="seed"),
        pytest.param(
            [make(7)], ["cell 1 leaves the seed to chance, and is not reproduced: add --seed 7, and"], id="chance"
        ),
        pytest.param([make(7), make(8)], ["add its seeds, 7, 8, and run it again"], id="several"),
        pytest.param([fail("KeyError", "a")], ["a.ipynb, cell 1 saved an error: KeyError: a"], id="error"),
        pytest.param(
            [printed("x"), {"output_type": "display_data", "metadata": {"flux_magic": 1}}], [], id="no record"
        ),
    ],
)
def test_a_cell_that_will_not_show_the_same_again_is_noted(outputs: list[dict[str, Any]], notes: list[str]) -> None:
    found = list(list_unlike({"a.ipynb": [Cell("cell 1", "code", "%%flux\na fox", tuple(outputs))]}))
    assert len(found) == len(notes)
    assert all(note in one for note, one in zip(notes, found, strict=True))


@pytest.mark.parametrize(
    ("source", "named"),
    [
        pytest.param("print(1); import data_mod", {"data_mod"}, id="after a statement"),
        pytest.param("if x: import y", {"y"}, id="in a block"),
        pytest.param("import a.b as c, d\nfrom e.f import g", {"a.b", "d", "e.f", "e.f.g"}, id="with dots"),
        pytest.param("import importlib as i; i.import_module('z')", {"importlib", "z"}, id="by a call"),
        pytest.param("from . import a\n# import b\n'import c'\nimport_module(x)", set(), id="none"),
        pytest.param("%matplotlib inline\n!ls\nx = await y()\nimport b", {"b"}, id="among magics"),
        pytest.param("%load_ext ours", {"ours"}, id="extension"),
        pytest.param("%%time\nimport b", {"b"}, id="timed"),
        pytest.param("%%bash\nimport b", set(), id="another language"),
        pytest.param("import b\nthis is no Python", {"b"}, id="no Python"),
    ],
)
def test_imports_are_found_wherever_in_a_cell(source: str, named: set[str]) -> None:
    assert list_imports(source) == named


def test_what_a_cell_imports_and_runs_is_packed(tmp_path: Path) -> None:
    for name in ("data_mod.py", "names/inner.py", "kit/__init__.py", "kit/a.py", "below.py", "run/go.py", "other.py"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("import below" if name == "kit/a.py" else "")
    notebook = tmp_path / "in" / "a.ipynb"
    write_cells(notebook, cell("print(1); import data_mod, kit\nfrom names import inner\n%run -i run/go.py"))
    places = {"a.ipynb": notebook}
    copy(places, tmp_path / "out")
    assert set(places) == {
        "a.ipynb",
        "data_mod.py",
        "names/inner.py",
        *("kit/__init__.py", "kit/a.py", "below.py"),
        "run/go.py",
    }
    assert all((tmp_path / "out" / name).is_file() for name in places)
