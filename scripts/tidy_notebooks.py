"""Take out of saved notebooks what differs from machine to machine and says nothing to a reader."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat


def tidy(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            record = output.get("metadata", {}).get("flux_magic", {}).get("record", {})
            record.pop("started", None)
            record.pop("seconds", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        tidy(Path(name))
