"""The model tiny without torch: its name, the line without its package, and other bytes than its own."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from flux_magic.errors import InvalidRequest, MissingExtra, ModelUnavailable
from flux_magic.jupyter.choices import choose
from flux_magic.jupyter.panel.panel import Panel
from flux_magic.parameters.table import ROWS, Parameter
from flux_magic.providers.diffusers import models, tiny
from flux_magic.providers.diffusers.provider import Diffusers
from flux_magic.providers.diffusers.taking import Taken, build_values, describe_values
from flux_magic.providers.diffusers.worker import worker
from flux_magic.types import ImageRequest

ROOT = Path(__file__).parents[2]
NAME = "flux_magic tiny 1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small installed package, whose digest is the one that the code has."""
    made = tmp_path / "site" / "model"
    (made / "vae").mkdir(parents=True)
    (made / models.INDEX).write_text(
        json.dumps({"_class_name": "FluxPipeline", "vae": ["diffusers", "AutoencoderTiny"]})
    )
    (made / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"weights")
    package = ModuleType("flux_magic_tiny")
    vars(package)["MODEL"] = made
    monkeypatch.setitem(sys.modules, "flux_magic_tiny", package)
    monkeypatch.setattr(tiny, "DIGEST", models.compute_folder_digest(made, is_cached=False))
    monkeypatch.setattr(models, "_get_cache", lambda: tmp_path / "digests.json")
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize("asked", ["tiny", NAME])
def test_a_record_names_the_model_by_its_version_and_never_by_another_name(folder: Path, asked: str) -> None:
    assert Diffusers.get_model(asked) == NAME
    assert Diffusers.name_model(asked) == ("tiny", NAME)
    assert Diffusers.locate_model(asked) == NAME, "a worker in another folder finds the same model"
    assert Diffusers.is_at_hand(asked)
    assert tiny.open_folder() == folder


def test_without_its_package_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "flux_magic_tiny", None)
    with pytest.raises(MissingExtra, match=r"needs the package flux-magic-tiny, .*: pip install \./tiny$") as caught:
        tiny.open_folder()
    assert "\n" not in caught.value.message
    assert Diffusers.get_model("tiny") == NAME, "an image in the store is still found by it"
    assert not Diffusers.is_at_hand("tiny")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        pytest.param("changed", r"their sha256 is \w{16}, and not \w{16}", id="a byte, at the same time"),
        pytest.param("added", "their sha256 is ", id="one more file"),
        pytest.param("gone", "some are missing", id="no index"),
    ],
)
def test_other_bytes_under_its_name_are_one_clear_error(folder: Path, how: str, why: str) -> None:
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tiny.open_folder()
    if how == "changed":
        stat = weights.stat()
        weights.write_bytes(b"Weights")
        os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif how == "added":
        (folder / "vae" / "config.json").write_text("{}")
    else:
        (folder / models.INDEX).unlink()
    with pytest.raises(ModelUnavailable, match=f"files of flux-magic-tiny are not those of {NAME}: {why}") as caught:
        tiny.open_folder()
    assert "pip install ./tiny" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_folder_of_that_name_is_taken_only_by_its_path(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    assert models.read_model("tiny").is_tiny, "a folder without a pipeline, as in a clone, is no other model"
    (tmp_path / "tiny" / models.INDEX).write_bytes((folder / models.INDEX).read_bytes())
    with pytest.raises(InvalidRequest, match=r"give \./tiny for the pipeline, or \"flux_magic tiny 1\" for the model$"):
        models.read_model("tiny")
    own = models.read_model("./tiny")
    assert (own.folder, own.is_tiny) == (tmp_path / "tiny", False)
    assert models.read_model(NAME).is_tiny
    named = (tmp_path / "tiny").rename(tmp_path / NAME)
    with pytest.raises(InvalidRequest, match=f"a folder cannot be named {NAME}"):
        models.read_model(str(named))


def test_the_package_in_the_clone_has_the_files_of_the_digest_in_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tiny"))
    monkeypatch.delitem(sys.modules, "flux_magic_tiny", raising=False)
    folder = tiny.find_folder()
    assert folder == ROOT / "tiny" / "flux_magic_tiny" / "model"
    files = [one for one in folder.rglob("*") if one.is_file()]
    digest = models.compute_folder_digest(folder, is_cached=False) if files else "0" * 64
    assert digest == tiny.DIGEST
    assert sum(one.stat().st_size for one in files) <= 8_000_000
    version = re.search(r'(?m)^version = "(\d+)\.', (ROOT / "tiny" / "pyproject.toml").read_text("utf-8"))
    assert version is not None
    assert f"flux_magic tiny {version[1]}" == models.TINY_NAME, "another version is another name in records"


def make_taken() -> Taken:
    """Return what FLUX's image-to-image pipeline takes, in short."""
    own = {"num_inference_steps": "steps", "width": "width", "height": "height", "guidance_scale": "guidance"}
    rows = [
        *(replace(ROWS[name], own_name=key) for key, name in own.items()),
        Parameter(name="true_cfg_scale", help="", kind=float, default=1.0, own_name="true_cfg_scale"),
        Parameter(name="max_sequence_length", help="", kind=int, default=512, own_name="max_sequence_length"),
        Parameter(name="negative_prompt", help="", kind=str, own_name="negative_prompt", may_be_empty=True),
    ]
    return Taken(rows=tuple(rows), size_step=16, images=1, needs_image=False, takes_mask=False)


def test_a_prompt_alone_gets_its_own_defaults_and_the_record_has_them() -> None:
    taken = tiny.adapt(make_taken())
    values = build_values(taken, ImageRequest("a red fox", "tiny", seed=7), NAME)
    assert values == {
        "num_inference_steps": 8,
        "width": 128,
        "height": 128,
        "true_cfg_scale": 3.0,
        "guidance_scale": 1.0,
        "max_sequence_length": 64,
        "negative_prompt": "",
    }
    assert describe_values(taken, values) == dict(tiny.DEFAULTS), "no empty negative prompt, which was not asked for"
    given = {"guidance": 2.0, "negative_prompt": "night"}
    asked = build_values(taken, ImageRequest("a red fox", "tiny", seed=7, steps=4, parameters=given), NAME)
    assert (asked["true_cfg_scale"], asked["negative_prompt"], asked["num_inference_steps"]) == (2.0, "night", 4)


def test_tab_and_the_panel_offer_it_for_this_provider_alone() -> None:
    offered = choose("flux", "--provider diffusers --model t", {})
    assert offered is not None
    assert "tiny" in offered[1]
    usual = choose("flux", "--model t", {})
    assert usual is not None
    assert "tiny" not in usual[1]
    panel = Panel(prompt="a fox", provider="diffusers")
    try:
        named = panel._controls._named.widget
        assert {"tiny", "black-forest-labs/FLUX.1-dev"} <= {*named.options}
        panel.take(model="tiny")
        assert panel._controls.describe_place() == f"diffusers, {NAME}"
    finally:
        panel.close()
        worker.close()
