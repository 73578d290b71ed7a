"""Take out of saved notebooks, and of the images beside them, what changes from run to run and says nothing."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat

from flux_magic.records import embedding
from flux_magic.records.record import Carried, parse_carried, parse_record
from flux_magic.sweeps import sheet_file
from flux_magic.types import UNKNOWN, Record

WIDGET = "application/vnd.jupyter.widget-view+json"


def remove_times(record: Record) -> Record:
    around = replace(record.circumstances, started=UNKNOWN, seconds=None, queued=None)
    return replace(record, circumstances=around)


def tidy(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata.pop("widgets", None)  # all the state of every widget; what a panel shows is an output as well
    for place, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)
        if "outputs" in cell:  # an empty one is where a bar was, if the machine was slow enough for one
            cell.outputs = join_streams(output for output in cell.outputs if output.get("data") != {})
        for output in cell.get("outputs", []):
            if output.output_type == "stream":  # the store of anyone who ran it; a reader's is there if nothing is set
                output.text = re.sub(r"(?m)^(store +).*?(?=: can)", r"\1~/.local/share/flux_magic/store", output.text)
            if view := output.get("data", {}).get(WIDGET):
                # A widget's id means nothing once its kernel is gone.
                view["model_id"] = f"{place:032x}"
            if "sheet" in output.get("metadata", {}).get("flux_magic", {}):
                tidy_sheet(output)
            elif "flux_magic" in output.get("metadata", {}):
                tidy_output(output)
    nbformat.write(notebook, path)


def join_streams(outputs: Iterable[Any]) -> list[Any]:
    """Join what a cell printed in pieces, without the bars that were overwritten."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
    return joined


def tidy_output(output: Any) -> None:
    """Remove the times from the record, in the metadata and in the image."""
    known = output.metadata["flux_magic"]
    carried = parse_carried(known)
    record = remove_times(carried.record)
    output.metadata["flux_magic"] = {**known, **Carried(record, carried.copy).as_dict()}
    media_type = carried.copy.media_type if carried.copy else ""
    if carried.copy and embedding.read(data := base64.b64decode(output.data[media_type])):
        data, _ = embedding.embed_record(data, record, carried.copy.file)
        output.data[media_type] = base64.b64encode(data).decode()


def tidy_sheet(output: Any) -> None:
    """Remove the times from a sweep's records, in the metadata and in the sheet."""
    known = output.metadata["flux_magic"]
    carried = [parse_carried(one) for one in known["sheet"]]
    known["sheet"] = [
        {**one, **Carried(remove_times(each.record), each.copy).as_dict()}
        for one, each in zip(known["sheet"], carried, strict=True)
    ]
    data = base64.b64decode(output.data["image/jpeg"])
    if inside := sheet_file.read(data):
        records, alt = [remove_times(each.record) for each in carried], output.metadata["image/jpeg"]["alt"]
        drawn = all(one.stand_in for one in records)
        data = sheet_file.add_records(data, sheet_file.Contents(inside.axes, records, known["sheet"], alt, drawn))
        known["sha256"] = embedding.compute_sha256(data)
        output.data["image/jpeg"] = base64.b64encode(data).decode()


def tidy_folder(folder: Path) -> None:
    """Remove the times from the images and records of an export."""
    for path in folder.glob("*.json"):
        record = remove_times(parse_record(json.loads(path.read_text())))
        path.write_text(json.dumps(record.as_dict(), indent=1) + "\n")
    for path in folder.glob("*.*"):  # what went in is in a folder of its own, and carries nothing
        if path.suffix != ".json" and (carried := embedding.read(path.read_bytes())) and carried.copy:
            data, _ = embedding.embed_record(path.read_bytes(), remove_times(carried.record), carried.copy.file)
            path.write_bytes(data)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if Path(name).is_dir():
            tidy_folder(Path(name))
        else:
            tidy(Path(name))
