// Works on the stock widgets of the panel around it; whatever is missing there is left alone.

/** The panel that `el` is in; the page puts it there some time after it was made. */
async function panelAround(el, signal) {
  while (!signal.aborted) {
    const panel = el.closest(".flux-magic-panel");
    if (panel) return panel;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return null;
}

const thumbnailsOf = (panel) => [...panel.querySelectorAll(".flux-magic-strip .flux-magic-item button:not(.flux-magic-use)")];

/** Tab reaches one thumbnail of the strip, the one on view or the last one that had the focus; arrows reach the others. */
function keepOneTabStop(panel) {
  const thumbnails = thumbnailsOf(panel);
  const itemOf = (one) => one?.closest(".flux-magic-item");
  const current =
    itemOf(thumbnails.find((one) => itemOf(one).contains(document.activeElement))) ??
    itemOf(thumbnails.find((one) => itemOf(one).classList.contains("flux-magic-shown")) ?? thumbnails[0]);
  for (const one of thumbnails) {
    for (const button of itemOf(one).querySelectorAll("button")) button.tabIndex = itemOf(one) === current ? 0 : -1;
  }
}

/** Arrow keys, Home and End go from one thumbnail to another, up and down by rows. */
function moveAmongThumbnails(event, panel) {
  const thumbnails = thumbnailsOf(panel);
  const at = thumbnails.indexOf(event.target);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const top = (one) => one.closest(".flux-magic-item").offsetTop;
  const width = Math.max(1, thumbnails.filter((one) => top(one) === top(thumbnails[0])).length);
  const end = thumbnails.length - 1;
  const keys = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + width, ArrowUp: at - width, Home: 0, End: end };
  if (!(event.key in keys)) return;
  event.preventDefault();
  event.stopPropagation();
  thumbnails[Math.max(0, Math.min(end, keys[event.key]))].focus();
}

/** Sliders have no name of their own, an icon is read as a letter, a live region must be there before it speaks. */
function name(panel) {
  for (const slider of panel.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent ?? "";
    slider.querySelector(".noUi-handle")?.setAttribute("aria-label", label);
  }
  for (const field of panel.querySelectorAll(".widget-text")) {
    field.querySelector("input")?.setAttribute("aria-invalid", String(field.classList.contains("flux-magic-refused")));
  }
  for (const fold of panel.querySelectorAll("button.flux-magic-fold")) {
    fold.setAttribute("aria-expanded", String(fold.classList.contains("flux-magic-open")));
  }
  for (const box of panel.querySelectorAll(".flux-magic-left input")) {
    const label = box.closest(".flux-magic-row")?.querySelector(".widget-slider .widget-label")?.textContent ?? "";
    box.setAttribute("aria-label", `${label}: the model's default`);
  }
  for (const icon of panel.querySelectorAll("button i")) icon.setAttribute("aria-hidden", "true");
  const status = panel.querySelector(".flux-magic-status .widget-html-content");
  status?.setAttribute("aria-live", "polite");
  const strip = panel.querySelector(".flux-magic-strip");
  strip?.setAttribute("role", "group");
  strip?.setAttribute("aria-label", "Last results");
  const inputs = panel.querySelector(".flux-magic-inputs");
  inputs?.setAttribute("role", "group");
  inputs?.setAttribute("aria-label", "Images that go in");
  const compare = panel.querySelector(".flux-magic-compare"); // there is a Steps outside it as well
  compare?.setAttribute("role", "group");
  compare?.setAttribute("aria-label", "Compare");
  for (const item of panel.querySelectorAll(".flux-magic-item")) {
    const shown = item.classList.contains("flux-magic-shown");
    if (item.closest(".flux-magic-strip")) item.querySelector("button")?.setAttribute("aria-pressed", String(shown));
  }
  keepOneTabStop(panel);
}

const isShortcut = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey);

/** Ctrl+Enter or ⌘Enter, anywhere in the panel, means Generate, and in the fields of a comparison Compare.
 *  The button may not know yet that there is a prompt. */
function onKey(event, model) {
  if (!isShortcut(event)) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.dispatchEvent(new Event("change", { bubbles: true }));
  model.send(event.target.closest(".flux-magic-compare") ? "compared" : "pressed");
}

/** JupyterLab's keys without Ctrl, such as d d, are not for who sets a slider; the others stay JupyterLab's. */
function keepKeys(event, panel) {
  if (!panel.contains(event.target)) return;
  const plain = !(event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter"));
  event.target.toggleAttribute("data-lm-suppress-shortcuts", plain || isShortcut(event));
}

/** A click shows an image in its true size, and another one in that of the page: it is in the panel, or the output
 *  behind the panel's. */
function resize(event, panel) {
  const place = event.target.closest("img")?.closest(".flux-magic-result, .jp-OutputArea-child");
  const own = place?.classList.contains("flux-magic-result") ? place : place?.previousElementSibling;
  if (own && (own === place ? panel.contains(own) : own.contains(panel))) place.classList.toggle("flux-magic-true");
}

const PIECE = 2 * 2 ** 20; // a server closes a connection that brings a message of 10 MB
let sending = Promise.resolve();

/** An image that is dropped on the panel, or pasted into it, goes in where the model at hand takes one. */
function takeFiles(event, panel, model, files) {
  const images = [...(files ?? [])].filter((file) => file.type.startsWith("image/"));
  if (!images.length || !panel.classList.contains("flux-magic-edits")) return;
  event.preventDefault();
  event.stopPropagation();
  for (const image of images) sending = sending.then(() => sendFile(image, model));
}

async function sendFile(file, model) {
  const bytes = await file.arrayBuffer();
  const pieces = Math.ceil(bytes.byteLength / PIECE);
  for (let at = 0; at < pieces; at++) {
    model.send({ left: pieces - at - 1 }, undefined, [bytes.slice(at * PIECE, (at + 1) * PIECE)]);
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text); // a page without https has no clipboard
  }
}

function copyTheOldWay(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text });
  area.style.position = "fixed";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
  }
}

function render({ model, el }) {
  const ending = new AbortController();
  const { signal } = ending;
  panelAround(el, signal).then((panel) => {
    if (!panel) return;
    panel.classList.add("flux-magic-keys"); // the style shows the shortcuts, which work from now on
    name(panel);
    if (panel.parentElement?.closest(".jupyter-widgets")) model.send("nested");
    const watch = new MutationObserver(() => name(panel));
    watch.observe(panel, { childList: true, subtree: true, attributeFilter: ["class"] });
    signal.addEventListener("abort", () => watch.disconnect());
    window.addEventListener("keydown", (event) => keepKeys(event, panel), { signal, capture: true });
    panel.addEventListener("keydown", (event) => onKey(event, model), { signal, capture: true });
    panel.addEventListener("keydown", (event) => moveAmongThumbnails(event, panel), { signal });
    panel.addEventListener("focusin", () => keepOneTabStop(panel), { signal });
    panel.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault(), { signal });
    panel.addEventListener("drop", (event) => takeFiles(event, panel, model, event.dataTransfer?.files), { signal });
    panel.addEventListener("paste", (event) => takeFiles(event, panel, model, event.clipboardData?.files), { signal });
    (panel.closest(".jp-OutputArea") ?? panel).addEventListener("click", (event) => resize(event, panel), { signal });
    panel.addEventListener(
      "click",
      async (event) => {
        if (!event.target.closest("button.flux-magic-copy")) return;
        if (await copy(model.get("cell"))) model.send("copied");
      },
      { signal },
    );
  });
  return () => ending.abort();
}

/** The outputs below each view of the panel in this page's notebook: [the cell's outputs, the place of the first].
 *  Only JupyterLab and Notebook give a widget its notebook. */
function outputsBelow(model) {
  const found = [];
  for (const cell of model.widget_manager?.context?.model?.cells ?? []) {
    for (let place = 0; place + 2 < (cell.outputs?.length ?? 0); place++) {
      const view = cell.outputs.get(place).data["application/vnd.jupyter.widget-view+json"];
      const isBelow = [1, 2].every((step) => cell.outputs.get(place + step).type === "display_data");
      if (view?.model_id === model.get("panel") && isBelow) found.push([cell.outputs, place + 1]);
    }
  }
  return found;
}

const hasText = (output, text) => [output.data["text/plain"] ?? ""].flat().join("") === text;

/** Bring the notebook up to date: after a reload, JupyterLab drops what the kernel updates there by display ids. */
function followOutputs(model) {
  const isBehind = () =>
    outputsBelow(model).some(([outputs, first]) =>
      model.get("below").some((text, step) => !hasText(outputs.get(first + step), text)),
    );
  const check = () => isBehind() && model.send("outputs");
  model.on("change:below", check);
  model.on("msg:custom", (message) => {
    if (!message.outputs || !isBehind()) return;
    for (const [outputs, first] of outputsBelow(model)) {
      message.outputs.forEach((output, step) => outputs.set(first + step, output));
    }
  });
  model.widget_manager?.context?.ready.then(() => {
    if (outputsBelow(model).length) model.send("below");
    check();
  });
}

/** The kernel asks before it reads what is set: a busy one gets what was typed last only after it was idle,
 *  and the page sends that before it answers. */
function initialize({ model }) {
  model.on("msg:custom", (message) => {
    if (message === "settle") model.send("settled");
  });
  model.send("there");
  followOutputs(model);
}

export default { initialize, render };
