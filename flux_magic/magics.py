"""`%flux` and `%%flux`: a line and a cell parsed, the client called, the result returned."""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display
from traitlets import Bool, Enum, Float, Int, TraitError, Unicode, Union, observe

from . import prompt, settings
from .errors import FluxError, InvalidRequest
from .types import MAX_SEED, Space

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.utils.bunch import Bunch

    from .generation import Generation, Generations
    from .panel import Panel
    from .settings import Settings
    from .types import ImageRequest

_ITS_OWN = {
    "count", "dry_run", "fresh", "no_metadata", "output", "overwrite", "quiet", "raw", "save", "size", "yes",
}  # fmt: skip
"""The options that are the magic's own; the others are settings."""


def _help() -> str:
    """The docstring that `%flux?` shows."""
    rows = [(f"{', '.join(option.flags)} {option.metavar}".rstrip(), option.help) for option in prompt.OPTIONS]
    listed = "\n".join(f"  {flags:<36} {text}" for flags, text in rows)
    return f"""Make an image of what the prompt says, and show it with the parameters that made it.

  %flux [options] prompt          on one line: options first, the rest is the prompt

  %%flux [options]                in a cell of its own: the lines below are the prompt
  a red fox in {{place}}, morning mist

{{name}} in a prompt becomes the value of that name of the notebook; {{{{name}}}} is a literal {{name}}.
Nothing else in a prompt is changed. On the %flux line, -- ends the options.

Options, each with an example of its value:

{listed}

Examples:

  %%flux --steps 4 --seed 42 --size 1024x768 --output fox
  a red fox in the morning mist

  %flux --space local -n 4 --save pictures/ a lighthouse

Defaults for all cells: %config FluxMagics shows them, %config FluxMagics.steps = 4 sets one.
"""


class SecretTrait(Unicode[Any, Any]):
    """A text that does not show its secret where IPython prints it: a proxy's password, or all of a token."""

    def validate(self, obj: Any, value: Any) -> Any:
        return _Shy(super().validate(obj, value))


class _Shy(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return repr(re.sub(r"//[^/@]*@", "//***@", str(self)) if "//" in self else "***")


@magics_class
class FluxMagics(Magics):
    """The magics, and what `%config FluxMagics` sets. What is None is taken from the defaults."""

    space = Unicode(None, allow_none=True, help="A Hugging Face id, a URL, or local.").tag(config=True)
    model = Unicode(None, allow_none=True, help="The model's name.").tag(config=True)
    steps = Int(None, allow_none=True, min=1, help="Inference steps (2 where unset).").tag(config=True)
    width = Int(None, allow_none=True, min=8, help="Pixels (768 where unset).").tag(config=True)
    height = Int(None, allow_none=True, min=8, help="Pixels (768 where unset).").tag(config=True)
    seed = Int(None, allow_none=True, min=0, max=MAX_SEED, help="Random where unset.").tag(config=True)
    inline = Enum(settings.INLINE, None, allow_none=True, help="How a picture is embedded.").tag(config=True)
    token = SecretTrait(None, allow_none=True, help="A Hugging Face token for the Space.").tag(config=True)
    proxy = SecretTrait(None, allow_none=True, help="An http proxy's URL.").tag(config=True)
    timeout = Float(None, allow_none=True, min=0, help="Seconds for a whole image.").tag(config=True)
    store = Union(
        (Bool(), Unicode()), default_value=None, allow_none=True, help="The folder that keeps images; False keeps none."
    ).tag(config=True)
    replay = Enum(settings.REPLAY, None, allow_none=True, help="Whether images come from the store.").tag(config=True)
    runner = Enum(
        settings.RUNNERS, "thread", help="Where coroutines run: a thread's loop, or the kernel's own (nest)."
    ).tag(config=True)
    verbose_errors = Bool(False, help="Show the traceback of an error as well.").tag(config=True)

    @observe("runner")
    def _apply_runner(self, change: Bunch) -> None:
        if change["new"] == "nest":
            _apply_nest()

    @observe("verbose_errors")
    def _apply_verbosity(self, change: Bunch) -> None:
        FluxError.verbose = change["new"]

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None  # noqa: S101 - IPython makes no magics without a shell
        return self.shell

    def configured(self) -> Mapping[str, Any]:
        """The traits that are set and are settings of a call."""
        names = set(self.class_trait_names(config=True)) - {"verbose_errors"}
        return {name: getattr(self, name) for name in names}

    @no_var_expand
    @line_cell_magic
    def flux(self, line: str, cell: str | None = None) -> Generation | Generations | None:
        try:
            return self._flux(line, cell)
        except InvalidRequest as error:
            raise UsageError(" ".join(str(error).split("\n"))) from None

    flux.__doc__ = _help()

    @line_magic
    def flux_status(self, line: str) -> None:
        """Show versions, whether the Space answers, and what it takes: `%flux_status`, `%flux_status local`."""
        from .api import run
        from .doctor import examine

        print(run(examine(settings.resolve(space=line.strip() or None))))

    @no_var_expand
    @line_magic
    def flux_panel(self, line: str) -> Panel:
        """Open the control panel, where `%flux` says it in words: `%flux_panel`.

        Options and a prompt say where it starts: `%flux_panel --steps 4 --size 1024x768 a red fox`. It takes --steps,
        --seed, --size, --width, --height, --count, --model and --space. `panel = %flux_panel` keeps it, unseen.
        """
        if getattr(self._shell, "kernel", None) is None:
            raise UsageError("the panel needs a notebook; here %flux does the same")
        from .panel import Panel

        try:
            return Panel(**_panel_options(line))
        except (InvalidRequest, TraitError) as error:
            raise UsageError(" ".join(str(error).split("\n"))) from None

    def _flux(self, line: str, cell: str | None) -> Generation | Generations | None:
        options, rest = prompt.parse_line(line)
        typed = prompt.prompt_of(rest, cell)
        from .client import plan

        count = options.get("count", 1)
        _check(options, count)
        text = typed if options.get("raw") else self._expanded(typed)
        resolved = settings.resolve(**_settings_of(options))
        requests = plan(text, resolved, count, typed=None if text == typed else typed)
        if options.get("dry_run"):
            print(_described(requests, resolved))
            return None
        return self._made(requests, resolved, options)

    def _expanded(self, typed: str) -> str:
        hidden = self._shell.user_ns_hidden
        names = {name: value for name, value in self._shell.user_ns.items() if hidden.get(name, self) is not value}
        text, missing = prompt.expand(typed, names)
        if missing:
            listed = ", ".join(f"{{{name}}}" for name in missing)
            print(f"note: {listed} sent as typed: no such name in this notebook", file=sys.stderr)
        return text

    def _made(
        self, requests: list[ImageRequest], resolved: Settings, options: dict[str, Any]
    ) -> Generation | Generations:
        from .api import generations
        from .generation import Generations

        made: list[Generation] = []
        try:
            for generation in generations(requests, resolved, quiet=bool(options.get("quiet"))):
                made.append(generation)
                if path := options.get("save"):
                    saved = generation.save(path, overwrite=bool(options.get("overwrite")))
                    print(*(f"saved {file}" for file in saved), sep="\n")
        except BaseException:
            # The cell fails, but what is finished is not lost.
            for finished in made:
                display(finished)
            if made and len(requests) > 1:
                print(f"note: {len(made)} of {len(requests)} images were made", file=sys.stderr)
            raise
        finally:
            result = made[0] if made and len(requests) == 1 else Generations(made)
            if made and (name := options.get("output")):
                self._shell.push({name: result})
        return result


def _settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if name not in _ITS_OWN}
    if "size" in options:
        if given.keys() & {"width", "height"}:
            raise InvalidRequest("--size and --width or --height say the same twice: give --size alone, or the others")
        given["width"], given["height"] = options["size"]
    if options.get("fresh"):
        given["replay"] = "off"
    if options.get("no_metadata"):
        given["metadata"] = False
    return given


def _panel_options(line: str) -> dict[str, Any]:
    """Where a panel starts, as its magic's line says."""
    names = {"steps", "seed", "size", "width", "height", "count", "model", "space"}
    options, typed = prompt.parse_line(line, [option for option in prompt.OPTIONS if option.name in names])
    if unknown := sorted(options.keys() - names):
        raise InvalidRequest(f"%flux_panel takes no --{unknown[0].replace('_', '-')}: that is an option of %flux")
    return {**_settings_of(options), "count": options.get("count", 1), "prompt": typed}


def _check(options: Mapping[str, Any], count: int) -> None:
    """What can be known to fail is known before anything is sent."""
    from .generation import save_target

    name = options.get("output", "")
    if keyword.iskeyword(name):
        raise InvalidRequest(f"--output {name}: this is a word of Python's own, give another name")
    most = settings.MOST_IMAGES
    if count > most and not options.get("yes"):
        raise InvalidRequest(f"{count} images are more than {most} in one cell: add --yes if you mean it")
    if path := options.get("save"):
        save_target(path, count)


def _described(requests: list[ImageRequest], resolved: Settings) -> str:
    """What would be sent, and where to."""
    from .providers import get_provider

    provider = get_provider(requests[0].model)
    space = Space.parse(resolved.space) if resolved.space else None
    where = provider.api_endpoint if space is None else space.url or "the local Space (started when first needed)"
    sent = [json.dumps(provider.inputs(request), ensure_ascii=False, indent=1) for request in requests]
    return "\n".join([f"nothing was sent; it would go to {where}", *sent])


def _apply_nest() -> None:
    """Patch asyncio for the whole process, and say what that costs where it costs something."""
    from . import runner

    runner.get("nest")
    kernel = sys.modules.get("ipykernel")
    if kernel is not None and kernel.version_info[:2] >= (7, 1):
        print(
            'note: with runner = "nest", cells queued behind a %%flux cell are dropped on ipykernel 7.1 and later: '
            "run cells one by one",
            file=sys.stderr,
        )
