"""Markdown as nbconvert reads it, with its formulas as MathML: a browser shows them without a script."""

from __future__ import annotations

from typing import Any

from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

from .markup import Surroundings

WITHOUT = 'formulas are shown as TeX: pip install "flux-magic[page]" shows them as formulas'


def render_markdown(source: str, around: Surroundings, attachments: dict[str, Any] | None = None) -> str:
    """Return Markdown as HTML, which still has to be cleaned."""
    try:
        return MarkdownWithMath(renderer=_Renderer(around, attachments or {})).render(source)
    except InvalidNotebook:  # it names an attachment that is not there
        return MarkdownWithMath(renderer=_Renderer(around, {})).render(source.replace("attachment:", "missing:"))


def render_formula(tex: str, around: Surroundings, *, block: bool) -> str:
    """Return a formula as MathML, or as it was typed if it cannot be read or latex2mathml is not installed."""
    sign = "$$" if block else "$"
    typed = f"{sign}{_escape(tex)}{sign}"
    try:
        from latex2mathml.converter import convert
    except ImportError:
        if WITHOUT not in around.notes:
            around.notes.append(WITHOUT)
        return typed
    try:
        math = str(convert(tex, display="block" if block else "inline"))
    except Exception:  # noqa: BLE001 - a formula with a mistake is shown as it was typed
        return typed
    return math.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1)  # HTML needs none


def _escape(tex: str) -> str:
    return tex.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, with MathML in place of what MathJax would read."""

    def __init__(self, around: Surroundings, attachments: dict[str, Any]) -> None:
        super().__init__(escape=False, attachments=attachments, anchor_link_text="")
        self._around = around

    def block_math(self, body: str) -> str:
        return render_formula(body, self._around, block=True)

    def inline_math(self, body: str) -> str:
        return render_formula(body, self._around, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        return render_formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", self._around, block=True)
