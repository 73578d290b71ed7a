// Works on the stock widgets of the gallery around it; whatever is missing there is left alone.

/** The gallery that `el` is in; the page puts it there some time after it was made. */
async function galleryAround(el, signal) {
  while (!signal.aborted) {
    const gallery = el.closest(".flux-gallery");
    if (gallery) return gallery;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return null;
}

const placesOf = (gallery) => [...gallery.querySelectorAll(".flux-gallery-item")];
const isSeen = (place) => !place.classList.contains("flux-gallery-gone");
const seenOf = (gallery) => placesOf(gallery).filter(isSeen);

/** Tab reaches one thumbnail, the one that had the focus last, is open, or is first; arrow keys reach the others. */
function keepOneTabStop(gallery) {
  const seen = seenOf(gallery);
  const stop =
    seen.find((one) => one === document.activeElement) ??
    seen.find((one) => one.tabIndex === 0 && one.hasAttribute("tabindex")) ??
    seen.find((one) => one.classList.contains("flux-gallery-current")) ??
    seen[0];
  for (const one of placesOf(gallery)) one.tabIndex = one === stop ? 0 : -1;
  return stop;
}

/** Names and roles that stock widgets lack, for a screen reader. */
function name(gallery, model) {
  const set = (element, values) => {
    for (const [key, value] of Object.entries(values)) {
      if (element && element.getAttribute(key) !== String(value)) element.setAttribute(key, value);
    }
  };
  set(gallery.querySelector(".flux-gallery-grid"), { role: "listbox", "aria-label": "Images" });
  seenOf(gallery).forEach((one, at) =>
    set(one, {
      role: "option",
      "aria-selected": one.classList.contains("flux-gallery-current"),
      "aria-posinset": at + 1,
      "aria-setsize": model.get("total"),
    }),
  );
  set(gallery.querySelector(".flux-gallery-status .widget-html-content"), { "aria-live": "polite" });
  set(gallery.querySelector(".flux-gallery-detail"), { role: "group", "aria-label": "The image that is open" });
  set(gallery.querySelector(".flux-gallery-chips"), { role: "group", "aria-label": "Tags of the image" });
  for (const chip of gallery.querySelectorAll(".flux-gallery-chip")) set(chip, { "aria-label": chip.title });
  const star = gallery.querySelector(".flux-gallery-star");
  set(star, { "aria-pressed": star?.classList.contains("flux-gallery-on") });
  const isPicking = gallery.querySelector(".flux-gallery-picked") !== null;
  set(gallery.querySelector("button.flux-gallery-compare"), { "aria-pressed": isPicking });
  for (const icon of gallery.querySelectorAll("button i")) set(icon, { "aria-hidden": "true" });
  set(gallery.querySelector(".widget-toggle-button"), {
    "aria-pressed": gallery.querySelector(".widget-toggle-button")?.classList.contains("mod-active"),
  });
  const table = gallery.querySelector(".flux-gallery-differences");
  set(table, { "aria-label": "What differs between the records" });
  keepOneTabStop(gallery);
}

/** Arrow keys, Home, End, PageUp and PageDown go from one thumbnail to another, up and down by rows. */
function move(event, gallery) {
  const seen = seenOf(gallery);
  const at = seen.indexOf(event.target);
  if (at < 0) return false;
  const top = (one) => one.offsetTop;
  const width = Math.max(1, seen.filter((one) => top(one) === top(seen[0])).length);
  const end = seen.length - 1;
  const keys = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + width, ArrowUp: at - width, Home: 0, End: end };
  Object.assign(keys, { PageDown: at + 3 * width, PageUp: at - 3 * width });
  if (!(event.key in keys)) return false;
  const next = seen[Math.max(0, Math.min(end, keys[event.key]))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

/** The keys s, c and Delete on a thumbnail; Escape, while one is chosen to compare, anywhere. */
function onKey(event, gallery, model) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".flux-magic-panel")) return;
  const at = placesOf(gallery).indexOf(event.target);
  const deeds = { s: "star", c: "compare", Delete: "delete" };
  if (event.key === "Escape" && gallery.querySelector(".flux-gallery-picked")) {
    model.send({ do: "escape" });
  } else if (at >= 0 && event.key in deeds && !event.shiftKey) {
    if (event.key === "Delete") focusBeside(event.target, gallery);
    model.send({ do: deeds[event.key], at });
  } else if (event.shiftKey || !move(event, gallery)) {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function focusBeside(place, gallery) {
  const seen = seenOf(gallery);
  const at = seen.indexOf(place);
  (seen[at + 1] ?? seen[at - 1] ?? gallery.querySelector(".flux-gallery-search input"))?.focus();
}

/** JupyterLab's keys without Ctrl, such as d d, are not for who types here. */
function keepKeys(event, gallery) {
  if (!gallery.contains(event.target) || event.target.closest(".flux-magic-panel")) return;
  const plain = !(event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter"));
  event.target.toggleAttribute("data-lm-suppress-shortcuts", plain);
}

/** The place of the gallery's cell in this page's notebook, or -1. Only JupyterLab and Notebook give a widget one. */
function findCell(model) {
  const cells = [...(model.widget_manager?.context?.model?.cells ?? [])];
  return cells.findIndex((cell) => {
    for (let place = 0; place < (cell.outputs?.length ?? 0); place++) {
      const view = cell.outputs.get(place).data["application/vnd.jupyter.widget-view+json"];
      if (view?.model_id === model.get("gallery")) return true;
    }
    return false;
  });
}

/** Put a cell below the gallery's, unless it is there; where the page has no notebook, the gallery shows it. */
function putCell(cell, model) {
  try {
    const at = findCell(model);
    const notebook = model.widget_manager.context.model;
    if (at < 0) throw new Error("no notebook");
    const before = notebook.cells.get(at + 1)?.sharedModel.getSource() === cell;
    if (!before) notebook.sharedModel.insertCell(at + 1, { cell_type: "code", source: cell, metadata: {} });
    model.send({ do: "put", before });
  } catch {
    model.send({ do: "show", cell });
  }
}

/** Scroll to a part that is far down, once it is drawn. */
function look(part) {
  setTimeout(() => {
    const { top } = part?.getBoundingClientRect() ?? { top: 0 };
    if (top > window.innerHeight - 200) part.scrollIntoView({ block: "nearest" });
  }, 100);
}

function render({ model, el }) {
  const ending = new AbortController();
  const { signal } = ending;
  galleryAround(el, signal).then((gallery) => {
    if (!gallery) return;
    let last = null;
    const keepFocus = () => {
      const isElsewhere = ![document.body, last].includes(document.activeElement); // a hidden one keeps it for a moment
      if (!last || isElsewhere || (last.isConnected && last.offsetParent)) return;
      const open = seenOf(gallery).find((one) => one.classList.contains("flux-gallery-current"));
      const search = gallery.querySelector(".flux-gallery-search input");
      (open ?? keepOneTabStop(gallery) ?? search)?.focus({ preventScroll: true });
    };
    const update = () => {
      name(gallery, model);
      keepFocus();
    };
    update();
    let due; // one update for all that a search changes
    const watch = new MutationObserver(() => {
      due ??= setTimeout(() => {
        due = undefined;
        update();
      }, 20);
    });
    watch.observe(gallery, { childList: true, subtree: true, attributeFilter: ["class", "style"] });
    const more = gallery.querySelector(".flux-gallery-more");
    const near = new IntersectionObserver(
      (seen) => seen.at(-1).isIntersecting && model.send({ do: "more" }),
      { root: gallery.querySelector(".flux-gallery-scroll"), rootMargin: "600px" },
    );
    // One that stays near the end is told once only: ask again when the number of those left has changed.
    const lookAgain = () => {
      near.disconnect();
      near.observe(more);
    };
    lookAgain();
    const left = new MutationObserver(lookAgain);
    left.observe(more, { childList: true, characterData: true, subtree: true });
    signal.addEventListener("abort", () => {
      clearTimeout(due);
      [watch, near, left].forEach((one) => one.disconnect());
    });
    window.addEventListener("keydown", (event) => keepKeys(event, gallery), { signal, capture: true });
    gallery.addEventListener("keydown", (event) => onKey(event, gallery, model), { signal, capture: true });
    gallery.addEventListener(
      "focusin",
      (event) => {
        last = event.target;
        keepOneTabStop(gallery);
      },
      { signal },
    );
    gallery.addEventListener("focusout", (event) => event.relatedTarget && (last = null), { signal });
    let pressed = false; // here, and not on another page of the notebook
    for (const kind of ["click", "keydown"]) {
      gallery.addEventListener(kind, () => (pressed = true), { signal, capture: true });
    }
    const onMessage = (message) => {
      if (!pressed) return;
      if (message.put !== undefined) putCell(message.put, model);
      if (message.look !== undefined) look(gallery.querySelector(message.look));
    };
    model.on("msg:custom", onMessage);
    model.send({ do: "there" }); // only now: a cell that came earlier would be lost
    signal.addEventListener("abort", () => model.off("msg:custom", onMessage));
  });
  return () => ending.abort();
}

export default { render };
