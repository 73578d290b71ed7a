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

/** The kernel asks before it reads what is set: a busy one gets what was typed last only after it was idle,
 *  and the page sends that before it answers. */
function initialize({ model }) {
  model.on("msg:custom", (message) => {
    if (message === "settle") model.send("settled");
  });
  model.send("there");
}

export default { initialize, render };
