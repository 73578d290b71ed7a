"""Models of the Hub: the real huggingface_hub against a server of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tests.engines.hub_server import COMMIT, run_hub

_PROGRAM = """
import json, os, shutil, sys
from collections import namedtuple
import flux_magic
from flux_magic.types import Log, Waiting

def make(model, **options):
    notes = []
    def see(event):
        if isinstance(event, Log | Waiting):
            notes.append(event.message if isinstance(event, Log) else event.reason)
    try:
        made = flux_magic.generate(
            "a fox", provider="diffusers", model=model, seed=1, steps=1, size="64x64", on_event=see, quiet=True,
            **options
        )
        return {"record": made.record.as_dict(), "notes": notes, "cell": made.command()}
    except flux_magic.FluxError as error:
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint, "notes": notes}

found = {}
if "full" in sys.argv:
    full = namedtuple("usage", "total used free")(10, 10, 0)
    shutil.disk_usage = lambda _: full
for model in sys.argv[1].split(","):
    found[model] = make(model, fresh=True)
print(json.dumps(found))
"""


def run(models: str, folder: Path, address: str, *words: str, **environment: str) -> dict[str, Any]:
    """Return what a program of its own says of models: huggingface_hub reads its environment when it is imported."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    own = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, models, *words],
        env={**known, **own, "HF_HUB_DISABLE_XET": "1", "FLUX_MAGIC_STORE": "off", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_model_of_the_hub_is_downloaded_once_and_its_commit_is_recorded(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    root = tmp_path / "hub"
    fox = root / "someone" / "fox"
    shutil.copytree(folders["schnell"], fox)
    (fox / "schnell.safetensors").write_bytes(b"0" * 3_000_000)
    (fox / "transformer" / "code.py").write_text("raise SystemExit")
    shutil.copytree(fox, root / "someone" / "gated")
    shutil.copytree(fox, root / "someone" / "pickled")
    for file in (root / "someone" / "pickled" / "vae").glob("*.safetensors"):
        file.unlink()
    torch.save({}, root / "someone" / "pickled" / "vae" / "diffusion_pytorch_model.bin")
    with run_hub(root) as (address, asked):
        full = run("someone/fox", tmp_path, address, "full")["someone/fox"]
        assert (full["error"], full["message"].partition(":")[0]) == ("ModelUnavailable", "no room on the disk")
        models = "someone/fox,someone/fox@v9,someone/none,someone/gated,someone/pickled"
        first = run(models, tmp_path, address)
        made = first["someone/fox"]
        assert "error" not in made, made
        assert made["notes"][0] == "waiting for the pipeline"
        said = [note for note in made["notes"] if "is not on this disk" in note]
        assert len(said) == 1
        assert said[0].startswith("someone/fox is not on this disk: downloading 0.")
        assert made["record"]["circumstances"]["weights"] == f"commit {COMMIT}"
        assert (made["record"]["run"]["model"], made["record"]["requested"]["model"]) == ("someone/fox", "someone/fox")
        assert "--model someone/fox --provider diffusers" in made["cell"]
        got = {line.partition(f"{COMMIT}/")[2] for line in asked if line.startswith("GET someone/fox/resolve")}
        assert "transformer/diffusion_pytorch_model.safetensors" in got
        assert not {"schnell.safetensors", "transformer/code.py"} & got, "only what the pipeline is loaded from"
        errors = {name: (one.get("error"), one.get("message", "")) for name, one in first.items()}
        assert errors["someone/fox@v9"] == ("ModelUnavailable", "someone/fox has no revision v9")
        assert errors["someone/none"] == ("ModelUnavailable", "the Hub has no model someone/none")
        assert errors["someone/gated"][0] == "TokenRefused"
        assert first["someone/gated"]["hint"].endswith("then: hf auth login")
        assert errors["someone/pickled"][0] == "ModelUnavailable"
        assert "no weights as safetensors" in errors["someone/pickled"][1]
        asked.clear()
        pinned = f"someone/fox@{COMMIT}"
        again = run(f"someone/fox,{pinned}", tmp_path, address)
        assert again["someone/fox"]["record"]["files"] == made["record"]["files"]
        assert again[pinned]["record"]["run"]["key"]["model"] == pinned
        assert asked == [], "what is on the disk is not asked for"
    off = run("someone/fox,someone/other", tmp_path, address, HF_HUB_OFFLINE="1")
    assert off["someone/fox"]["record"]["files"] == made["record"]["files"]
    assert off["someone/other"]["error"] == "NotInStore"
    gone = run("someone/other", tmp_path, address)["someone/other"]
    assert (gone["error"], gone["hint"]) == ("ConnectionFailed", "Run the cell again to go on.")
