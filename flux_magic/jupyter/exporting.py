"""Alternative text of images in what nbconvert exports to Markdown and LaTeX, whose templates have no place for it.

The file `share/nbconvert/templates/conf.json` has nbconvert load this beside its own preprocessors; a template in the
same folder does the same for HTML. An empty output, where a progress bar was, is left out of every export.
"""

from __future__ import annotations

import re
from typing import Any, Final

from nbconvert.filters.latex import escape_latex
from nbconvert.filters.strings import path2url, posix_path
from nbconvert.preprocessors import Preprocessor

_TYPES: Final = ("image/png", "image/jpeg")

_FIGURE: Final = r"""\begin{center}
\ifcsname KV@Gin@alt\endcsname\setkeys{Gin}{alt={%s}}\fi
\adjustimage{max size={0.9\linewidth}{0.9\paperheight}}{%s}
\end{center}
{ \hspace*{\fill} \\}"""
"""A figure as nbconvert's template has it, and the key for alternative text where the version of LaTeX has one."""


class DescribeImages(Preprocessor):
    """A preprocessor of nbconvert: it changes what is exported, and no notebook."""

    def preprocess_cell(self, cell: Any, resources: dict[str, Any], index: int) -> tuple[Any, dict[str, Any]]:  # noqa: ARG002
        """Describe the images of a cell's outputs, and leave out empty ones."""
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
            for output in cell.outputs:
                _describe(output, resources.get("output_extension"))
        return cell, resources


def _describe(output: Any, suffix: str | None) -> None:
    media_type = next((one for one in _TYPES if one in output.get("data", {})), None)
    if media_type is None or not (alt := output.metadata.get(media_type, {}).get("alt")):
        return
    name = output.metadata.get("filenames", {}).get(media_type)
    if suffix == ".md":
        address = path2url(name) if name else f"data:{media_type};base64,{output.data[media_type]}"
        output.data = {"text/markdown": f"![{_escape(alt)}]({address})"}
    elif suffix in {".tex", ".pdf"} and name:  # a PDF that a browser prints has no files beside it
        output.data = {"text/latex": _FIGURE % (escape_latex(alt), posix_path(name))}


def _escape(alt: str) -> str:
    """Return an alternative text in which Markdown finds neither markup nor its end."""
    return re.sub(r"([\\\[\]`*_<>&])", r"\\\1", alt)
