"""The look of a panel's strip and of the images that go in, and of a panel whose kernel has ended."""

from __future__ import annotations

from typing import Final

ENDED: Final = "This panel's kernel has ended: run its cell again, and what was set comes back."
"""Words in place of the broken links that ipywidgets draws on each widget."""

STRIP_STYLE: Final = (
    """<style>
.flux-magic-strip {
    flex-flow: row wrap; align-content: flex-start; align-items: stretch; gap: 6px; padding: 4px 3px 8px;
    max-height: 21rem; margin-bottom: 8px;
    overflow: hidden auto; overscroll-behavior: contain; scrollbar-gutter: stable;
}
.flux-magic-item {
    position: relative; flex: 0 0 auto; width: 118px; padding: 3px; border-radius: 4px; align-items: center;
    overflow: visible; border: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .4));
}
.flux-magic-item .widget-html-content, .flux-magic-item .widget-html {
    height: 96px; line-height: 0; display: flex; align-items: center; justify-content: center; margin: 0;
}
.flux-magic-item img { max-width: 96px; max-height: 96px; }
.flux-magic-panel .flux-magic-item button {
    width: 110px; height: auto; margin: 3px 0 0; padding: 0 2px; position: static; font-size: 11px; line-height: 1.3;
    white-space: pre-line; overflow-wrap: anywhere; max-height: 5.2em; overflow: hidden; background: transparent;
    box-shadow: none; outline: none; color: var(--jp-ui-font-color1, inherit);
}
.flux-magic-panel .flux-magic-item button:focus:enabled { box-shadow: none; outline: none; }
.flux-magic-item button::after { content: ""; position: absolute; inset: 0; cursor: pointer; }
.flux-magic-item:focus-within, .flux-magic-item:hover { outline: 2px solid var(--jp-brand-color1, #1976d2); }
.flux-magic-panel .flux-magic-item button.flux-magic-use {
    position: relative; z-index: 1; margin-top: auto; padding: 3px 0; text-decoration: underline;
}
.flux-magic-item button.flux-magic-use::after { content: none; }
.flux-magic-panel .flux-magic-item button.flux-magic-use:focus-visible {
    outline: 2px solid currentcolor; outline-offset: -2px;
}
.flux-magic-panel:not(.flux-magic-edits) .flux-magic-use { display: none; }
.flux-magic-inputs { flex-flow: row wrap; gap: 6px; padding: 3px; }
.flux-magic-inputs:empty { display: none; }
.flux-magic-inputs .flux-magic-item button::after { content: none; }
.flux-magic-shown { border-color: var(--jp-brand-color1, #1976d2); background: var(--jp-layout-color2, transparent); }
.flux-magic-panel .jupyter-widgets-disconnected::before { content: none; }
.flux-magic-panel.jupyter-widgets-disconnected::before {
    content: \""""
    + ENDED
    + """\"; order: -1; font: inherit; color: var(--jp-ui-font-color1, inherit); line-height: 1.5;
    padding: 4px 8px; margin: 0 0 6px; border-left: 4px solid var(--jp-warn-color1, #ef6c00);
}
.flux-magic-panel.jupyter-widgets-disconnected > * { opacity: .55; }
</style>"""
)
