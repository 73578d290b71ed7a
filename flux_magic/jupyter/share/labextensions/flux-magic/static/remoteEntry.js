// The extension of flux_magic for JupyterLab 4 and Notebook 7, without which everything else works as well.
// It gives images the alternative text of their outputs, keeps the pixels of small ones sharp, shows a prompt below
// %%flux as plain text, says in words that a panel's kernel has ended, and then shows the newest images in place of a
// gallery.
//
// JupyterLab loads an extension as a container of webpack's module federation. This file is one, written by hand:
// init() gets the modules that JupyterLab shares, and get() returns the plugin. So it is read as it is, without a build.

(() => {
  const NAME = "flux-magic";
  const PLAIN = "text/plain";
  const ENDED = "This panel's kernel has ended: run its cell again, and what was set comes back.";
  const PROMPT = /^\s*%%flux(?!\w)/;

  let shared;

  // Return a module that JupyterLab shares; if there are several versions, the one that it takes itself. Voilà has fewer.
  async function load(name) {
    const versions = Object.keys(shared[name] ?? {}).sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    if (versions.length === 0) return {};
    const factory = await shared[name][versions.at(-1)].get();
    return factory();
  }

  // The renderer of images drops the alternative text that an output has in the metadata of its type.
  function describeImages(rendermime) {
    for (const original of new Set(["image/png", "image/jpeg"].map((type) => rendermime.getFactory(type)))) {
      if (!original) continue;
      const createRenderer = (options) => {
        const renderer = original.createRenderer(options);
        const renderModel = renderer.renderModel.bind(renderer);
        renderer.renderModel = async (model) => {
          await renderModel(model);
          const { alt, width } = model.metadata[options.mimeType] ?? {};
          const image = renderer.node.querySelector("img");
          if (image && typeof alt === "string") image.alt = alt;
          if (image && width && model.metadata.flux_magic) image.style.imageRendering = "pixelated"; // ours, and small
        };
        return renderer;
      };
      // With the rank and the types that it has, an output with several types is shown as it was.
      rendermime.addFactory({ ...original, createRenderer }, rendermime.getRank(original.mimeTypes[0]));
    }
  }

  // A cell that begins with %%flux is plain text for as long as it does; all others are the notebook's language.
  function followCell(cell, notebook) {
    let isPlain = false;
    const update = () => {
      const isPrompt = PROMPT.test(cell.sharedModel.getSource());
      if (isPrompt && cell.mimeType !== PLAIN) {
        isPlain = true;
        cell.mimeType = PLAIN;
      } else if (!isPrompt && isPlain) {
        isPlain = false;
        cell.mimeType = notebook.codeMimetype;
      }
    };
    cell.contentChanged.connect(update);
    cell.mimeTypeChanged.connect(update); // a notebook sets all its cells when the kernel has said its language
    update();
  }

  function followNotebook(notebook) {
    const followed = new WeakSet();
    const followAll = () => {
      for (const cell of notebook.model?.cells ?? []) {
        if (cell.type !== "code" || followed.has(cell)) continue;
        followed.add(cell);
        followCell(cell, notebook);
      }
    };
    const followModel = () => {
      notebook.model?.cells.changed.connect(followAll);
      followAll();
    };
    notebook.modelChanged.connect(followModel);
    followModel();
  }

  // A gallery has in the same output, as HTML, the page of its newest images.
  async function showPage(node, output, notebook) {
    node.textContent = "";
    const renderer = notebook.rendermime.createRenderer("text/html");
    await renderer.renderModel(output);
    node.replaceChildren(renderer.node);
  }

  // A widget of a kernel that has ended leaves an error of ipywidgets in a page that is loaded again: of a panel say
  // what to do, in place of a gallery show its page.
  function explainEndedWidgets(notebook) {
    const explain = () => {
      for (const node of notebook.node.querySelectorAll(".jp-OutputArea-output.jupyter-widgets")) {
        if (!node.textContent.startsWith("Error displaying widget")) continue;
        const cell = notebook.widgets.find((one) => one.node.contains(node));
        const place = [...node.parentElement.parentElement.children].indexOf(node.parentElement);
        const output = cell?.outputArea?.model.get(place);
        if (/^Panel\(/.test(output?.data[PLAIN] ?? "")) node.textContent = ENDED;
        if (output?.metadata.flux_magic?.gallery) showPage(node, output, notebook);
      }
    };
    let isWaiting = false;
    const explainSoon = () => {
      if (isWaiting) return;
      isWaiting = true;
      setTimeout(() => {
        isWaiting = false;
        explain();
      }, 300);
    };
    new MutationObserver(explainSoon).observe(notebook.node, { childList: true, subtree: true });
    explain();
  }

  function follow(notebook) {
    followNotebook(notebook);
    explainEndedWidgets(notebook);
  }

  async function makePlugin() {
    const { IRenderMimeRegistry } = await load("@jupyterlab/rendermime");
    const { INotebookTracker } = await load("@jupyterlab/notebook");
    return {
      id: `${NAME}:plugin`,
      description: "Describes images, shows prompts as plain text, and says that a panel has ended.",
      autoStart: true,
      requires: [IRenderMimeRegistry],
      optional: INotebookTracker ? [INotebookTracker] : [],
      activate: (_app, rendermime, notebooks) => {
        describeImages(rendermime);
        notebooks?.forEach((panel) => follow(panel.content));
        notebooks?.widgetAdded.connect((_, panel) => follow(panel.content));
      },
    };
  }

  const container = {
    init: (scope) => {
      shared = scope;
    },
    get: async () => {
      const plugin = await makePlugin();
      return () => ({ __esModule: true, default: plugin });
    },
  };
  (window._JUPYTERLAB ??= {})[NAME] = container;
})();
