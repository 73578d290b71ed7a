"""What a check must not pass, though every record that it reads fits the image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from flux_magic.cli import main
from flux_magic.records import embedding
from flux_magic.results import recall
from flux_magic.verify import Status, check_static
from tests.unit.samples import drawing, generation


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"requested_width": 512}, "it asked for 512×192, and ran 256×192", id="the size"),
        pytest.param({"requested_seed": 7}, "it asked for seed 7, and ran 42", id="the seed"),
        pytest.param({"requested_space": "https://evil.example/x"}, "it asked the Space", id="the Space"),
        pytest.param({"requested_space": "no Space"}, "it asked the Space", id="no Space at all"),
        pytest.param({"model": "flux_magic stand-in"}, "is no model of", id="the model"),
        pytest.param({"space": "local:1"}, "is no model of", id="the local Space"),
    ],
)
def test_a_record_whose_request_and_run_cannot_both_be_so_was_edited(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    made = generation()
    path = tmp_path / "fox.png"
    path.write_bytes(embedding.embed_record(made.data, replace(made.record, **changes), 0)[0])
    [verdict] = check_static([path]).verdicts
    assert verdict.status is Status.FAIL
    assert said in verdict.why
    assert any(said in note for note in recall.recall(path).unmatched), "who recalls it is told"


def test_a_picture_with_a_second_frame_is_another(tmp_path: Path) -> None:
    generation().save(tmp_path / "fox.png")
    with Image.open(tmp_path / "fox.png") as image:
        assert isinstance(image, PngImageFile)
        texts = PngInfo()
        for name, text in image.text.items():
            texts.add_itxt(name, text)
        image.save(tmp_path / "two.png", save_all=True, append_images=[drawing(colour=99)], pnginfo=texts)
    [verdict] = check_static([tmp_path / "two.png"]).verdicts
    assert (verdict.status, verdict.why) == (Status.FAIL, "altered since it was made: it has more than one frame")


def test_an_output_that_shows_something_beside_the_picture_does_not_pass(tmp_path: Path) -> None:
    shown, _ = generation().build_outputs()
    data = {**shown.data, "text/html": "<img src='https://evil.example/other.png'>"}
    output = {"output_type": "display_data", "data": data, "metadata": shown.metadata}
    cell = {"cell_type": "code", "source": "%flux", "outputs": [output]}
    (tmp_path / "fox.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    report = check_static([tmp_path / "fox.ipynb"])
    assert not report.passed
    assert "beside the image the output shows text/html, which is not ours" in str(report)


@pytest.mark.parametrize(
    ("option", "name", "ending"),
    [("--html", "fox.png", ".html"), ("--json", "fox.ipynb", ".json"), ("--html", "page", ".html")],
)
def test_a_report_is_written_over_no_picture_and_no_notebook(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    name: str,
    ending: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    generation().save("fox.png")
    before = (tmp_path / "fox.png").read_bytes()
    assert main(["verify", "--static", option, name, "fox.png"]) == 2
    assert capsys.readouterr().err == f"flux-magic: cannot write {name}: give a name that ends in {ending}\n"
    assert (tmp_path / "fox.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["fox.png"]
