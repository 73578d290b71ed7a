"""The quickstart run by papermill, with parameters."""

from __future__ import annotations

import sys

import nbformat
from nbconvert import HTMLExporter

from .room import Room, run

GIVEN = {"place": "the sea"}


async def papermill(room: Room) -> str:
    """papermill -p place "the sea" on the quickstart"""
    source = room.notebook("01_quickstart")
    (cell,) = (cell for cell in source.cells if cell.source.startswith("place ="))
    cell.metadata["tags"] = ["parameters"]
    folder = room.folder / "papermill"  # beside the images of no other front end
    folder.mkdir()
    nbformat.write(source, folder / "tagged.ipynb")
    made = room.pictures / "papermill.ipynb"
    given = [word for name, value in GIVEN.items() for word in ("-p", name, value)]
    run(
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        "tagged.ipynb",
        str(made.resolve()),
        *given,
        folder=folder,
    )
    notebook = nbformat.read(made, as_version=4)
    assert "a red fox in the sea, dawn" in made.read_text(encoding="utf-8")
    page = room.folder / "papermill.html"
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    async with room.page(f"file://{page}") as shown:
        return await room.kept(shown, room.pictures / "papermill.png")
