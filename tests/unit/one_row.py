"""A program for a copy of the package whose table has a row more: it prints as JSON where that parameter is seen."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.oinspect import getdoc
from traitlets.config import Config

import flux_magic
from flux_magic.errors import FluxError
from flux_magic.images import metadata
from flux_magic.jupyter import cell, completion
from flux_magic.jupyter.magics import FluxMagics
from flux_magic.jupyter.panel.panel import Panel
from flux_magic.jupyter.panel.requests import build_press, read_prompt
from flux_magic.parameters import grammar
from flux_magic.parameters.settings import resolve
from flux_magic.parameters.table import Parameter
from flux_magic.providers import get_provider
from flux_magic.providers.base import ModelDescription
from flux_magic.records.record import build_request, compute_key, parse_record
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.sweeps.requests import build_sweep_call
from flux_magic.types import ImageRequest
from tests.unit.samples import notebook
from tests.unit.scripted import close, installed, settle

REAL: Any = get_provider("flux")


def refused(call: Callable[[], object]) -> str:
    """Return what a call says against its arguments."""
    try:
        call()
    except FluxError as error:
        return error.message
    return "nothing"


def made(options: str) -> Generation:
    asked = cell.read(f"{options} --seed 1 a fox", None, {})
    assert isinstance(asked.images, list)
    result = list(flux_magic.generate_many(asked.images))[0]  # noqa: RUF015 - to its end
    assert isinstance(result, Generation)
    return result


def in_python(folder: Path) -> dict[str, object]:
    provider = installed(pytest.MonkeyPatch())
    image, again, plain = made("--warmth 3.5"), made("--warmth 3.5"), made("--steps 2")
    saved = image.save(f"{folder}/{{warmth}}.png")
    requests = [one.requests[0] for one in provider.made]
    swept = build_sweep_call("a fox", {"warmth": [1, 2.5], "seed": 1})[0]
    stored = parse_record(json.loads(json.dumps(image.record.as_dict())))
    table = Generations([image, plain]).to_pandas()
    keyword = flux_magic.generate("a fox", warmth=4, quiet=True)  # type: ignore[call-overload]
    line, prompt = image.command().split("\n")
    reads = cell.read(line.removeprefix("%%flux"), prompt, {}).images
    assert isinstance(reads, list)

    class Guided(REAL):  # type: ignore[misc]
        parameters = {"prompt": "prompt", "warm_scale": "warmth"}  # noqa: RUF012

    help_ = str(getdoc(FluxMagics.flux))
    return {
        "flag": grammar.parse_line("--warmth 3.5 a fox"),
        "several": grammar.parse_line("--warmth 1,2.5 a fox")[0],
        "flag refused": refused(lambda: grammar.parse_line("--warmth 21 a fox")),
        "prompt": refused(lambda: cell.read("a fox --warmth 3", None, {})),
        "Tab": completion.complete("%flux --war"),
        "help": "--warmth 3.5 " in help_,
        "several in help": bool(re.search(r"--warmth\b[^.]* take several values", help_)),
        "Settings": resolve(warmth=3).parameters["warmth"],
        "Settings refused": refused(lambda: resolve(warmth="3")),
        "request refused": refused(lambda: ImageRequest("a fox", parameters={"warmth": -1})),
        "request": ImageRequest("a fox", parameters={"warmth": 3}).get_value("warmth"),
        "keyword": [keyword.parameters["warmth"], "warmth" in inspect.signature(flux_magic.generate).parameters],
        "provider": [dict(request.parameters) for request in requests],
        "Space": [Guided.get_inputs(request) for request in requests[:2]],
        "Space refused": refused(lambda: REAL.get_inputs(requests[0])),
        "replayed": [image.replayed, again.replayed, plain.replayed],
        "axis": [swept.format_label(1), [dict(one.parameters) for one in swept.requests]],
        "display": [line for line in image.build_outputs()[-1].data["text/plain"].split("\n") if "warmth" in line],
        "plain display": "warmth" in str(plain.build_outputs()),
        "to_pandas": table["warmth"].astype(object).where(table["warmth"].notna(), None).tolist(),
        "columns": [*table.columns][:7],
        "key": [
            compute_key(image.record) == compute_key(plain.record),
            compute_key(stored) == compute_key(image.record),
        ],
        "plain key": compute_key(plain.record),
        "record": [stored == image.record, dict(stored.parameters), dict(stored.requested_parameters)],
        "schema": [one.record.as_dict()["schema"] for one in (image, plain)],
        "request of a record": build_request(stored).parameters["warmth"],
        "command": line,
        "command reads": dict(reads[0].parameters),
        "text in the file": metadata.read(saved[0].read_bytes()).parameters.split("\n")[-1].split(", ")[:4],
        "file": [path.name for path in saved],
    }


def in_a_panel() -> dict[str, object]:
    panel = Panel(prompt="a fox", warmth=3.5)
    field: Any = panel._controls.fields["warmth"]
    slider, box = field.control, field.left

    def get_sent() -> dict[str, object]:
        return dict(build_press(panel, read_prompt(panel)[0])[0][0].parameters)

    opened = [slider.min, slider.max, slider.value, box.value]
    slider.value = 7
    moved = get_sent()["warmth"]
    settle()
    row = Parameter(name="warmth", help="", kind=float, least=1, most=5)
    style = Parameter(name="style", help="", kind=str, choices=("oil", "ink"))
    panel.learn(ModelDescription("", "", (row, style, Parameter(name="terms", help="", kind=str))))
    bounded = [slider.min, slider.max, panel.warmth]
    refusal = refused(lambda: setattr(panel, "warmth", 6))
    box.value = True
    left = [panel.warmth, get_sent(), slider.disabled]
    controls = {name: field.control for name, field in panel._controls.fields.items()}
    controls["style"].value, controls["terms"].value = "oil", "no text"
    fields = [get_sent(), [label for label, _ in controls["style"].options]]
    close(panel)
    return {
        "slider": opened,
        "slider moved": moved,
        "bounds": bounded,
        "panel refused": refusal,
        "left to the Space": left,
        "fields": fields,
    }


def in_config(folder: Path) -> dict[str, object]:
    with notebook(folder):
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        shell.run_line_magic("load_ext", "flux_magic")
        shell.run_line_magic("config", "FluxMagics.warmth = 4.5")
        configured = dict(resolve().parameters)
        over = dict(resolve(warmth=1).parameters)
        magics = shell.magics_manager.registry["FluxMagics"]
        refusal = refused(lambda: magics.update_config(Config({"FluxMagics": {"warmth": 21}})))
        shell.run_line_magic("unload_ext", "flux_magic")
    return {"%config": [configured, over], "%config refused": refusal}


if __name__ == "__main__":
    print(json.dumps(in_python(Path(sys.argv[1])) | in_a_panel() | in_config(Path(sys.argv[1]))))
