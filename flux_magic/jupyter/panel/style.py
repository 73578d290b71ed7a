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
.flux-magic-strip { flex-flow: row nowrap; gap: 6px; overflow-x: auto; padding: 4px 3px 8px; }
.flux-magic-item {
    position: relative; flex: 0 0 auto; width: 118px; padding: 3px; border-radius: 4px; align-items: center;
    overflow: visible; border: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .4));
}
.flux-magic-item .widget-html-content, .flux-magic-item .widget-html {
    height: 96px; line-height: 0; display: flex; align-items: center; justify-content: center; margin: 0;
}
.flux-magic-item img { max-width: 96px; max-height: 96px; }
.flux-magic-item button { width: 110px; margin: 3px 0 0; padding: 0; position: static; font-size: 11px; }
.flux-magic-item button::after { content: ""; position: absolute; inset: 0; cursor: pointer; }
.flux-magic-item:focus-within, .flux-magic-item:hover { outline: 2px solid var(--jp-brand-color1, #1976d2); }
.flux-magic-item button.flux-magic-use { position: relative; z-index: 1; text-decoration: underline; }
.flux-magic-item button.flux-magic-use::after { content: none; }
.flux-magic-panel:not(.flux-magic-edits) .flux-magic-use { display: none; }
.flux-magic-inputs { flex-flow: row wrap; gap: 6px; padding: 3px; }
.flux-magic-inputs:empty { display: none; }
.flux-magic-inputs .flux-magic-item button::after { content: none; }
.flux-magic-hint { color: var(--jp-ui-font-color2, inherit); }
.flux-magic-compare .widget-dropdown, .flux-magic-compare .widget-text { width: auto; margin: 2px 0; }
.flux-magic-compare .widget-dropdown select { width: 9em; flex: 0 0 auto; }
.flux-magic-compare .widget-text > label {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
.flux-magic-shown { border-color: var(--jp-brand-color1, #1976d2); background: var(--jp-layout-color2, transparent); }
.flux-magic-cell textarea { font-family: var(--jp-code-font-family, monospace); font-size: 12px; }
</style>"""
