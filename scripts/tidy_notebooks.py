"""Take out of saved notebooks what differs from machine to machine and says nothing to a reader."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

WIDGET = "application/vnd.jupyter.widget-view+json"


def tidy(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata.pop("widgets", None)  # all the state of every widget; what a panel shows is an output as well
    for place, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if view := output.get("data", {}).get(WIDGET):
                # A widget's id means nothing once its kernel is gone.
                view["model_id"] = f"{place:032x}"
            record = output.get("metadata", {}).get("flux_magic", {}).get("record", {})
            record.pop("started", None)
            record.pop("seconds", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        tidy(Path(name))
