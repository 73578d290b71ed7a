"""The look of a panel: in the colours of the front end, whatever its theme, and down to a narrow window."""

from __future__ import annotations

from typing import Final

STYLE: Final = """<style>
.flux-magic-panel { max-width: 60rem; gap: 6px; overflow: visible; }
.flux-magic-panel .flux-magic-row { flex-flow: row wrap; gap: 2px 10px; align-items: center; overflow: visible; }
.flux-magic-panel .flux-magic-grid {
    display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
    gap: 2px 24px; overflow: visible;
}
.flux-magic-grid > .widget-hslider, .flux-magic-grid > .widget-dropdown, .flux-magic-grid > .widget-combobox {
    width: auto; max-width: 26rem;
}
.flux-magic-grid .flux-magic-row > .widget-dropdown { flex: 1 1 12rem; width: auto; max-width: 18rem; }
.flux-magic-grid button { width: auto; }
.flux-magic-panel .jupyter-widgets { max-width: 100%; box-sizing: border-box; }
.flux-magic-panel .widget-label { color: var(--jp-ui-font-color1, inherit); }
.flux-magic-panel textarea { resize: vertical; }
.flux-magic-panel .widget-textarea { width: auto; }
.flux-magic-status progress { vertical-align: middle; margin-right: 8px; }
.flux-magic-status .widget-html-content { color: var(--jp-ui-font-color1, inherit); line-height: 1.5; }
.flux-magic-status .flux-magic-error {
    white-space: pre-wrap; overflow-wrap: anywhere; padding-left: 8px;
    border-left: 4px solid var(--jp-error-color1, #d32f2f);
}
.flux-magic-result .widget-html-content { line-height: normal; }
.flux-magic-result pre { line-height: 1.5; }
.flux-magic-result pre[title] { font-family: var(--jp-code-font-family, monospace) !important; }
.flux-magic-result img { max-width: 100%; height: auto; display: block; }
.flux-magic-hint { color: var(--jp-ui-font-color2, inherit); }
.flux-magic-compare .widget-dropdown, .flux-magic-compare .widget-text { width: auto; margin: 2px 0; }
.flux-magic-compare .widget-dropdown select { width: 9em; flex: 0 0 auto; }
.flux-magic-compare .widget-text > label {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
.flux-magic-cell textarea { font-family: var(--jp-code-font-family, monospace); font-size: 12px; }
</style>"""
