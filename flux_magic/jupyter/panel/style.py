"""The look of a panel: in the colours of the front end, whatever its theme, and down to a narrow window.

A panel has two columns if there is room: the controls, and the image at most as high as the window. In JupyterLab and
Notebook 7 the image is an output of its own, the one behind the panel's, which the style puts beside it.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """<style>
.flux-magic-panel, .flux-magic-panel .widget-box { overflow: visible; }
.flux-magic-panel .jupyter-widgets { max-width: 100%; min-width: 0; box-sizing: border-box; }
.flux-magic-columns { flex-flow: row wrap; gap: 8px 24px; align-items: flex-start; }
.flux-magic-controls { flex: 0 1 25rem; gap: 6px; }
.flux-magic-panel .flux-magic-result { flex: 1 1 16rem; margin: 2px 0; height: auto; }
.flux-magic-result .widget-html-content { line-height: normal; }
.flux-magic-result pre { line-height: 1.5; }
.flux-magic-result pre[title] { font-family: var(--jp-code-font-family, monospace) !important; }
.flux-magic-result img {
    display: block; max-width: 100%; max-height: max(16rem, calc(100vh - 15rem)); width: auto; height: auto;
}
.jp-OutputArea:has(> .jp-OutputArea-child > .jp-OutputArea-output > .flux-magic-panel) {
    display: flex; flex-flow: row wrap; align-items: flex-start; column-gap: 16px;
}
.jp-OutputArea:has(> .jp-OutputArea-child > .jp-OutputArea-output > .flux-magic-panel) > * { flex: 0 0 100%; }
.jp-OutputArea > .jp-OutputArea-child:has(> .jp-OutputArea-output > .flux-magic-panel) {
    flex: 0 1 calc(25rem + var(--jp-cell-prompt-width, 64px)); overflow: visible;
}
.jp-OutputArea > .jp-OutputArea-child:has(> .jp-OutputArea-output > .flux-magic-panel) + .jp-OutputArea-child {
    flex: 1 1 16rem; width: auto; min-width: 0; position: sticky; top: 0;
}
.jp-OutputArea > .jp-OutputArea-child:has(> .jp-OutputArea-output > .flux-magic-panel) + .jp-OutputArea-child
    > .jp-OutputPrompt { display: none; }
.jp-OutputArea > .jp-OutputArea-child:has(> .jp-OutputArea-output > .flux-magic-panel) + .jp-OutputArea-child img {
    max-width: 100%; max-height: max(16rem, calc(100vh - 15rem)); width: auto; height: auto;
}
.flux-magic-keys .flux-magic-result img,
.jp-OutputArea-child:has(> .jp-OutputArea-output > .flux-magic-keys) + .jp-OutputArea-child img { cursor: zoom-in; }
.jp-OutputArea > .flux-magic-true.flux-magic-true, .flux-magic-panel .flux-magic-true {
    flex: 0 0 100% !important; position: static !important; overflow: auto;
}
.flux-magic-true img { max-width: none !important; max-height: none !important; cursor: zoom-out !important; }
.flux-magic-panel .widget-label { color: var(--jp-ui-font-color1, inherit); text-align: left; }
.flux-magic-panel .flux-magic-row { flex-flow: row wrap; gap: 4px 8px; align-items: center; }
.flux-magic-panel .flux-magic-row > * { margin: 0; }
.flux-magic-panel button { width: auto; }
.flux-magic-panel .flux-magic-prompt { flex-direction: column; width: auto; height: auto; margin: 0; }
.flux-magic-prompt textarea { width: 100%; height: auto; min-height: 4.6em; resize: vertical; }
.flux-magic-fields { gap: 4px; }
.flux-magic-fields > *, .flux-magic-fields .widget-inline-hbox { margin: 0; }
.flux-magic-fields > .widget-inline-hbox { width: auto; }
.flux-magic-fields .flux-magic-row > .widget-hslider, .flux-magic-fields .flux-magic-row > .widget-dropdown {
    flex: 1 1 13rem; width: auto;
}
.flux-magic-panel .flux-magic-number { flex: 0 0 auto; }
.flux-magic-number > label, .flux-magic-compare .widget-text > label {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
.flux-magic-panel .flux-magic-refused { width: auto !important; }
.flux-magic-panel .flux-magic-refused input {
    flex: 0 0 auto; width: 8em; min-width: 0;
    border-color: var(--jp-error-color1, #d32f2f); outline: 1px solid var(--jp-error-color1, #d32f2f);
}
.flux-magic-panel .flux-magic-number.flux-magic-refused input { width: 4.5em; }
.flux-magic-refused::after {
    content: "not allowed"; white-space: nowrap; padding-left: 6px; line-height: var(--jp-widgets-inline-height, 28px);
    color: var(--jp-error-color1, #d32f2f);
}
.flux-magic-panel:not(.flux-magic-keys) .flux-magic-key { display: none; }
.flux-magic-folds { border-top: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .4)); padding-top: 4px; }
.flux-magic-panel button.flux-magic-fold {
    align-self: flex-start; margin: 0; padding: 0 6px 0 0; background: transparent; box-shadow: none; text-align: left;
    color: var(--jp-ui-font-color1, inherit);
}
.flux-magic-panel button.flux-magic-fold:hover { text-decoration: underline; }
.flux-magic-fold i { width: 1.2em; text-align: center; }
.flux-magic-body { padding: 2px 0 8px 1.2em; }
.flux-magic-body > * { flex: 1 1 auto; }
.flux-magic-panel .widget-textarea { width: auto; }
.flux-magic-status progress { vertical-align: middle; margin-right: 8px; }
.flux-magic-status img { max-height: 12rem; }
.flux-magic-status { min-height: 1.6em; margin: 0; }
.flux-magic-status .widget-html-content { color: var(--jp-ui-font-color1, inherit); line-height: 1.5; }
.flux-magic-status .flux-magic-error {
    white-space: pre-wrap; overflow-wrap: anywhere; padding-left: 8px;
    border-left: 4px solid var(--jp-error-color1, #d32f2f);
}
.flux-magic-row .widget-html-content { line-height: 1.4; }
.flux-magic-panel .widget-checkbox .widget-label-basic { display: flex; align-items: center; }
.flux-magic-panel .widget-checkbox input { align-self: center; margin: 0 6px 0 0; }
.flux-magic-body .flux-magic-row > .widget-text:not(.flux-magic-number) { flex: 1 1 12rem; }
.flux-magic-hint { color: var(--jp-ui-font-color2, inherit); }
.flux-magic-compare > .widget-hbox { flex: 1 1 100%; }
.flux-magic-compare .widget-dropdown, .flux-magic-compare .widget-text { margin: 0; flex: 1 1 8rem; width: auto; }
.flux-magic-cell textarea { font-family: var(--jp-code-font-family, monospace); font-size: 12px; }
</style>"""
