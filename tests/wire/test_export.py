"""`flux-magic export`: a notebook's images beside it, and then the notebook without a Space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux_magic.cli import main
from flux_magic.errors import NotInStore
from flux_magic.records import embedding
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.sweeps.axes import Axis
from flux_magic.verify import check_static
from tests.support.space import make_image, run


def notebook(path: Path, *made: Generation | Generations) -> Path:
    """Return a notebook as Jupyter would save it, with a cell for each generation or sweep."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "source": one.command() if isinstance(one, Generation) else "%%flux --seed 1..3",
            "metadata": {},
            "execution_count": 1,
            "outputs": [
                {"output_type": "display_data", "data": output.data, "metadata": output.metadata}
                for output in one.build_outputs()
            ],
        }
        for one in made
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a store of its own, and the notebook's folder as the place of work."""
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    monkeypatch.setenv("FLUX_MAGIC_STORE", "off")


def test_what_was_exported_is_replayed_without_a_space_or_a_store(
    space: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [run(make_image(space, f"fox {seed}", seed=seed)) for seed in (1, 2)]
    notebook(Path("fox.ipynb"), *made)
    assert main(["export", "fox.ipynb"]) == 0
    assert capsys.readouterr().out == "2 images put into flux_images\n"
    offline(monkeypatch)
    for one in made:
        again = run(make_image("local", one.prompt, seed=one.seed))
        assert (again.replayed, again.digest, again.data) == (True, one.digest, one.data)
    with pytest.raises(NotInStore, match=r"not in flux_images.*'fox 3', seed 3"):
        run(make_image("local", "fox 3", seed=3))


def test_an_export_can_be_made_again_and_adds_what_is_new(space: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (run(make_image(space, "a fox", seed=seed)) for seed in (1, 2))
    notebook(Path("fox.ipynb"), first)
    assert main(["export", "fox.ipynb"]) == 0
    names = {path.name: path.stat().st_mtime_ns for path in Path("flux_images").iterdir()}
    notebook(Path("fox.ipynb"), first, first, second)
    assert main(["export", "fox.ipynb"]) == 0
    assert capsys.readouterr().out.endswith("1 image put into flux_images, 1 there already\n")
    now = {path.name: path.stat().st_mtime_ns for path in Path("flux_images").iterdir()}
    assert names.items() < now.items()


def test_exported_images_carry_their_record_and_are_what_was_delivered(space: str) -> None:
    made = run(make_image(space, "a fox"))
    notebook(Path("fox.ipynb"), made)
    main(["export", "fox.ipynb"])
    [path] = Path("flux_images").glob("*.webp")
    carried = embedding.read(path.read_bytes())
    assert carried is not None
    assert carried.record == made.record
    assert made.data in embedding.list_readings(path.read_bytes())
    assert check_static(["fox.ipynb", "flux_images"]).passed


def test_what_is_not_in_the_store_any_more_is_named_and_the_rest_exported(
    space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, kept = (run(make_image(space, "a fox", seed=seed)) for seed in (1, 2))
    notebook(Path("fox.ipynb"), lost, kept)
    assert lost.path is not None
    lost.path.unlink()
    assert main(["export", "fox.ipynb"]) == 1
    assert capsys.readouterr().out == (
        "1 image put into flux_images\n"
        "fox.ipynb, cell 1: the store has no such image: run the cell again with --fresh, and save\n"
    )
    assert tmp_path.joinpath("store").exists()


def test_what_is_embedded_as_it_was_delivered_needs_no_store(space: str, tmp_path: Path) -> None:
    made = run(make_image(space, "a fox"))
    record = made.record
    # A Space that delivers PNG: the notebook has the very bytes.
    from dataclasses import replace

    from flux_magic.images import codecs
    from flux_magic.results.generation import ImageFile

    data = codecs.convert_to_suffix(made.data, Path("fox.png"))
    file = codecs.describe(data)
    delivered = replace(made, record=replace(record, files=(file,)), files=(ImageFile(file, data),))
    notebook(Path("fox.ipynb"), delivered)
    for path in (tmp_path / "store").rglob("*.*"):
        path.unlink()
    assert main(["export", "fox.ipynb"]) == 0
    [path] = Path("flux_images").glob("*.png")
    assert data in embedding.list_readings(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("fox.txt", "{}", "fox.txt is not a notebook", id="another file"),
        pytest.param("none.ipynb", None, "none.ipynb", id="no file"),
        pytest.param("bad.ipynb", "{", "bad.ipynb: not a notebook", id="no JSON"),
    ],
)
def test_what_is_no_notebook_is_one_line_and_exit_code_1(
    name: str, content: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path(name).write_text(content)
    assert main(["export", name]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not Path("flux_images").exists()


def test_a_picture_without_a_record_or_a_seed_is_named(space: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(make_image(space, "a fox", metadata=False))
    path = notebook(Path("fox.ipynb"), made, made)
    saved = json.loads(path.read_text())
    del saved["cells"][0]["outputs"][0]["metadata"]["flux_magic"]
    saved["cells"][1]["outputs"][0]["metadata"]["flux_magic"]["record"]["run"]["seed"] = None
    path.write_text(json.dumps(saved))
    assert main(["export", "fox.ipynb"]) == 1
    assert capsys.readouterr().out == (
        "0 images put into flux_images\n"
        "fox.ipynb, cell 1: it has no record\n"
        "fox.ipynb, cell 2: its seed is not known, so no cell can request it again\n"
    )


def test_the_images_of_a_sheet_are_exported_and_replayed(
    space: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = Axis("seed", (1, 2, 3))
    made = [run(make_image(space, "a fox", seed=seed)) for seed in (1, 3)]
    notebook(Path("fox.ipynb"), Generations(made, [seeds], [0, 2]), made[0])
    assert main(["export", "fox.ipynb"]) == 0
    assert capsys.readouterr().out == "2 images put into flux_images\n"
    offline(monkeypatch)
    for one in made:
        again = run(make_image("local", one.prompt, seed=one.seed))
        assert (again.replayed, again.digest, again.data) == (True, one.digest, one.data)


def test_an_image_of_a_sheet_that_is_not_in_the_store_any_more_is_named(
    space: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [run(make_image(space, "a fox", seed=seed)) for seed in (1, 2)]
    notebook(Path("fox.ipynb"), Generations(made, [Axis("seed", (1, 2))]))
    assert made[1].path is not None
    made[1].path.unlink()
    assert main(["export", "fox.ipynb"]) == 1
    assert capsys.readouterr().out == (
        "1 image put into flux_images\n"
        "fox.ipynb, cell 1, image 2 of the sheet: "
        "the store has no such image: run the cell again with --fresh, and save\n"
    )
