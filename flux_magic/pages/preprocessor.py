"""The step of nbconvert that makes a notebook's cells into parts of a page; the template only lays them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.preprocessors import Preprocessor
from traitlets import Bool

from .markdown import render_markdown
from .markup import Surroundings, clean
from .parts import build_parts


class FluxMagicPage(Preprocessor):
    """The parts of every cell, in the resources' `page`: what the template `flux_magic` shows.

    Attributes:
        unfold: True shows code and records, which are otherwise folded.
    """

    unfold = Bool(False, help="Show code and records, which are otherwise folded.").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook as it is, and the resources with its parts."""
        facts = resources.get("metadata", {})
        folder = Path(facts.get("path") or ".")
        around = resources.get("surroundings") or Surroundings(folder, folder)
        cells, title = [], ""
        for cell in nb.cells:
            html = ""
            if cell.cell_type == "markdown":
                tree = clean(render_markdown(cell.source, around, cell.get("attachments")), around)
                for anchor in tree.select("a.anchor-link"):
                    anchor.decompose()
                heading = tree.find("h1")
                title = title or (heading.get_text().strip() if heading else "")
                html = str(tree)
            parts = build_parts(cell.outputs, around) if cell.cell_type == "code" else []
            cells.append({"cell": cell, "html": html, "parts": parts})
        told = nb.metadata.get("title")
        resources["page"] = {
            "cells": cells,
            "title": str(told or title or facts.get("name") or "A notebook"),
            "unfold": self.unfold,
        }
        return nb, resources
