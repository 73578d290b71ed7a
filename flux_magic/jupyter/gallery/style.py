"""The look of a gallery: in the colours of the front end, whatever its theme, and down to a narrow window."""

from __future__ import annotations

from typing import Final

STYLE: Final = """<style>
.flux-gallery, .flux-gallery .widget-box { overflow: visible; }
.flux-gallery { gap: 8px; color: var(--jp-ui-font-color1, inherit); }
.flux-gallery .flux-gallery-row { flex-flow: row wrap; gap: 4px 8px; align-items: center; }
.flux-gallery-row > * { margin: 0; }
.flux-gallery button, .flux-gallery .widget-toggle-button { width: auto; }
.flux-gallery .widget-label { color: var(--jp-ui-font-color1, inherit); }
.flux-gallery .flux-gallery-search { flex: 0 1 26rem; width: auto; min-width: min(100%, 14rem); }
.flux-gallery-search > label, .flux-gallery-tags > label, .flux-gallery-cell > label { width: auto !important; }
.flux-gallery-status { flex: 1 1 14rem; min-width: 0; height: auto; }
.flux-gallery .flux-gallery-status .widget-html-content { display: flex; min-height: 3em; }
.flux-gallery-status .widget-html-content > * { margin: auto 0; }
.flux-gallery :is(.flux-gallery-status, .flux-gallery-size, .flux-gallery-facts, .flux-gallery-compared)
    .widget-html-content {
    color: var(--jp-ui-font-color1, inherit); line-height: 1.5; word-break: normal; overflow-wrap: anywhere;
}
.flux-gallery .widget-html { height: auto; margin: 0; }
.flux-gallery .flux-gallery-columns { flex-flow: row wrap; gap: 8px 16px; align-items: flex-start; }
.flux-gallery .flux-gallery-scroll {
    flex: 3 1 22rem; min-width: 0; max-height: 38rem; overflow: hidden auto; overscroll-behavior: contain;
    scrollbar-gutter: stable; border: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .4)); border-radius: 4px;
}
.flux-gallery .flux-gallery-grid {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, max(45%, 6rem)), 1fr));
    gap: 8px; padding: 8px; align-items: start; flex: 0 0 auto;
}
.flux-gallery .flux-gallery-item {
    display: flex; flex-direction: column; align-items: stretch; height: auto; min-width: 0; margin: 0; padding: 4px;
    border-radius: 4px; background: transparent; box-shadow: none; line-height: 1.35; font-size: 12px;
    white-space: pre-line; overflow-wrap: anywhere; text-align: left; color: var(--jp-ui-font-color1, inherit);
    border: 1px solid transparent; scroll-margin: 8px;
}
.flux-gallery .flux-gallery-item::before {
    content: ""; display: block; flex: 0 0 auto; height: 9rem; margin-bottom: 4px; border-radius: 3px;
    background-color: rgba(128, 128, 128, .12); background-position: center; background-size: contain;
    background-repeat: no-repeat; line-height: 9rem; text-align: center;
}
.flux-gallery .flux-gallery-item:hover { border-color: var(--jp-border-color1, #888); }
.flux-gallery .flux-gallery-current { border-color: var(--jp-brand-color1, #1976d2); }
.flux-gallery .flux-gallery-current, .flux-gallery .flux-gallery-current:focus {
    background: var(--jp-layout-color2, rgba(128, 128, 128, .12)); box-shadow: none;
}
.flux-gallery .flux-gallery-picked { outline: 2px dashed var(--jp-brand-color1, #1976d2); outline-offset: -1px; }
.flux-gallery .flux-gallery-item:focus-visible, .flux-gallery button:focus-visible {
    outline: 2px solid var(--jp-brand-color1, #1976d2) !important; outline-offset: 1px;
}
.flux-gallery .flux-gallery-gone { display: none; }
.flux-gallery .flux-gallery-more { margin: 0 8px 8px; flex: 0 0 auto; }
.flux-gallery .flux-gallery-detail { flex: 2 1 18rem; min-width: 0; gap: 8px; }
.flux-gallery-detail > * { margin: 0; max-width: 100%; }
.flux-gallery-image .widget-html-content { line-height: 1.4; min-height: 4rem; }
.flux-gallery-image img { display: block; max-width: 100%; max-height: 26rem; width: auto; height: auto; }
.flux-gallery-wait { opacity: .75; }
.flux-gallery-chips:empty { display: none; }
.flux-gallery .flux-gallery-chips { max-height: 9rem; overflow: hidden auto; }
.flux-gallery .flux-gallery-chip {
    border-radius: 12px; display: inline-flex; flex-direction: row-reverse; align-items: center; gap: 4px;
}
.flux-gallery .flux-gallery-chip i { line-height: 1; margin: 0; }
.flux-gallery .flux-gallery-tags { width: auto; }
.flux-gallery-facts table, .flux-gallery-compared table { border-collapse: collapse; margin: 6px 0 0; }
.flux-gallery-facts th, .flux-gallery-compared th {
    text-align: left; font-weight: 600; vertical-align: top; padding: 1px 12px 1px 0; white-space: nowrap;
}
.flux-gallery-facts td, .flux-gallery-compared td { vertical-align: top; padding: 1px 12px 1px 0; text-align: left; }
.flux-gallery-cell textarea { font-family: var(--jp-code-font-family, monospace); font-size: 12px; }
.flux-gallery-compared { gap: 8px; align-items: flex-start; }
.flux-gallery-compared > .widget-html { width: 100%; }
.flux-gallery-compared .widget-html-content { overflow-x: auto; }
.flux-gallery-compared td { min-width: 5rem; }
.flux-gallery-pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; max-width: 72rem; }
.flux-gallery-pair figure { margin: 0; min-width: 0; }
.flux-gallery-pair img { display: block; max-width: 100%; max-height: 36rem; height: auto; }
.flux-gallery-pair figcaption { font-weight: 600; }
.flux-gallery .jupyter-widgets-disconnected::before { content: none; }
.flux-gallery.jupyter-widgets-disconnected::before {
    content: "This gallery's kernel has ended: run its cell again."; font: inherit; line-height: 1.5;
    color: var(--jp-ui-font-color1, inherit); padding: 4px 8px;
    border-left: 4px solid var(--jp-warn-color1, #ef6c00);
}
.flux-gallery.jupyter-widgets-disconnected > * { opacity: .55; }
</style>"""
