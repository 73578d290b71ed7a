"""The magics `%flux` and `%%flux`: they parse a line or a cell, call the client, and return the result."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display
from traitlets import Bool, CaselessStrEnum, Enum, Float, TraitError, Unicode, Union, observe, validate

from ..client.log_output import LEVELS, output
from ..errors import FluxError, Incomplete, InvalidRequest, replace_controls
from ..parameters import grammar, settings, slips
from ..parameters.addresses import Space
from ..parameters.dialects import explain
from ..parameters.sizes import format_size, split_sides
from ..parameters.table import PARAMETERS, Parameter
from ..results import file_names
from ..results.notes import limit_notes, print_note
from . import caller, cell
from .traits import Checked, Size, check_sides, explain_error, make_traits
from .usage import show_result

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.utils.bunch import Bunch

    from ..parameters.settings import Settings
    from ..results.generation import Generation
    from ..results.generations import Generations
    from ..sweeps.requests import Sweep
    from ..types import ImageRequest
    from .panel import Panel

    _Text = Unicode[Any, Any]
else:
    _Text = Unicode  # before traitlets 5.10, as in Colab's 5.7, a trait takes no types


def _format_help() -> str:
    """Return the docstring that `%flux?` shows."""
    rows = [(f"{', '.join(option.flags)} {option.metavar}".rstrip(), option.help) for option in grammar.OPTIONS]
    listed = "\n".join(f"  {flags:<36} {text}" for flags, text in rows)
    *several, last = (row.flags[0] for row in sorted(PARAMETERS, key=lambda row: row.name != "seed") if row.sweepable)
    return f"""Make an image of what the prompt says, and show it with the parameters that made it.

  %flux [options] prompt          on one line: options first, the rest is the prompt

  %%flux [options]                in a cell of its own: the lines below are the prompt
  a red fox in {{place}}, morning mist

The image is shown wherever the line is, in a loop or a function too. fox = %flux … shows no image,
and neither does a line that ends with ; (the ; is not sent). Put a prompt that ends with one into a %%flux cell.

{{name}} in a prompt becomes the value of that name where the line runs: first the function's, then the notebook's;
{{{{name}}}} is a literal {{name}}.
An option's number can be given this way too: --seed {{seed}}. Nothing else in a prompt is changed, except that quotes
around the whole prompt of a %flux line are left out. Options come before the prompt. -- ends them: what follows, or
the body, is sent as typed.

{", ".join(several)} and {last} take several values, 1,2,4 or 1..8: that makes every combination, shown
as one sheet. With --sweep, {{red|blue}} and lists {{names}} in the prompt are varied too.

Options, each with an example of its value:

{listed}

Examples:

  %%flux --steps 4 --seed 42 --size 1024x768 --output fox
  a red fox in the morning mist

  %flux --space local -n 4 --save pictures/ a lighthouse

  %%flux --sweep --steps 1,2,4 --seed 42
  a {{red|blue|green}} fox

Defaults for all cells: %config FluxMagics shows them, %config FluxMagics.steps = 4 sets one.
"""


class SecretTrait(_Text):
    """A trait whose secret is not shown where IPython prints it: a proxy's password, or all of a token."""

    def validate(self, obj: Any, value: Any) -> Any:
        return _Shy(super().validate(obj, value))


class _Shy(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return repr(re.sub(r"//[^/@]*@", "//***@", str(self)) if "//" in self else "***")


@magics_class
class FluxMagics(Magics):
    """The magics, and the settings of `%config FluxMagics`. A setting of None takes the default."""

    space = Unicode(None, allow_none=True, help="A Hugging Face id, a URL, or local.").tag(config=True)
    model = Unicode(None, allow_none=True, help="The model's name.").tag(config=True)
    width: int | None
    height: int | None
    locals().update(make_traits())  # steps, seed, width, height, …: a row's trait has its name
    size = Size(help="Width and height at once: 1024x768.").tag(config=True)
    inline = Enum(settings.INLINE, None, allow_none=True, help="How an image is embedded.").tag(config=True)
    token = SecretTrait(None, allow_none=True, help="A Hugging Face token for the Space.").tag(config=True)
    proxy = SecretTrait(None, allow_none=True, help="An http proxy's URL.").tag(config=True)
    timeout = Float(None, allow_none=True, help="Seconds for a whole image.").tag(config=True)
    store = Union(
        (Bool(), Unicode()), default_value=None, allow_none=True, help="The folder that keeps images; False keeps none."
    ).tag(config=True)
    shared_store = Unicode(None, allow_none=True, help="A shared folder, read before the store.").tag(config=True)
    replay = Enum(settings.REPLAY, None, allow_none=True, help="Whether images come from the store.").tag(config=True)
    concurrency = Checked(
        Parameter(name="concurrency", help="", least=1, most=settings.MOST_AT_ONCE),
        allow_none=True,
        help="Images of a sweep at once (4 if unset).",
    ).tag(config=True)
    runner = Enum(
        settings.RUNNERS, "thread", help="Where coroutines run: a thread's loop, or the kernel's own (nest)."
    ).tag(config=True)
    log_level = CaselessStrEnum(
        LEVELS, None, allow_none=True, help="Show the log from this level up below the cell at work."
    ).tag(config=True)
    verbose_errors = Bool(False, help="Show the traceback of an error as well.").tag(config=True)

    @observe("runner")
    def _apply_runner(self, change: Bunch) -> None:
        if change["new"] == "nest":
            _apply_nest()

    def update_config(self, config: Any) -> None:
        """Set what `%config` says.

        Raises InvalidRequest, which `%config` shows as one line, for a setting that does not exist or a value that is
        not allowed. The setting stays as it was.
        """
        known = sorted(self.class_trait_names(config=True))
        for name, value in config.get(type(self).__name__, {}).items():
            if name not in known:
                meant = explain(name, known) or f"there are {', '.join(known)}"
                raise InvalidRequest(f"FluxMagics has no setting {name}: {meant}")
            try:
                setattr(self, name, value)
            except TraitError as error:
                why = explain_error(error, self.traits()[name], "***" if name in {"token", "proxy"} else value)
                raise InvalidRequest(f"FluxMagics.{name} stays {getattr(self, name)!r}: {why}") from None
        super().update_config(config)

    @validate("size")
    def _check_size(self, proposal: Bunch) -> str:
        if proposal["value"]:
            check_sides(self, proposal["value"])
        return str(proposal["value"])

    @observe("size")
    def _set_sides(self, change: Bunch) -> None:
        if change["new"] != self._format_size():
            with self.hold_trait_notifications():
                self.width, self.height = split_sides(change["new"]) if change["new"] else (None, None)

    @observe("width", "height")
    def _set_size(self, _change: Bunch) -> None:
        self.size = self._format_size()

    def _format_size(self) -> str:
        return format_size(self.width, self.height) if self.width and self.height else ""

    @validate("space", "model", "store", "shared_store", "proxy", "token", "timeout")
    def _check_setting(self, proposal: Bunch) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            if name == "model" and value:
                from ..providers import get_provider

                get_provider(value)
            else:
                settings.check_setting(name, value)
        except InvalidRequest as error:
            raise TraitError(str(error)) from None
        return value

    @observe("log_level")
    def _apply_log_level(self, change: Bunch) -> None:
        if self.shell is None:  # it was made to check a value
            return
        if change["old"] is None:
            self.shell.events.register("post_run_cell", output.print_lines)
        elif change["new"] is None:
            self.shell.events.unregister("post_run_cell", output.print_lines)
        output.show(change["new"])

    @observe("verbose_errors")
    def _apply_verbosity(self, change: Bunch) -> None:
        FluxError.verbose = change["new"]

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None  # noqa: S101 - IPython makes no magics without a shell
        return self.shell

    def get_configured(self) -> Mapping[str, Any]:
        """Return the traits that are settings of a call."""
        names = set(self.class_trait_names(config=True)) - {
            "verbose_errors",
            "log_level",
            "size",
        }  # width and height are the size
        return {name: getattr(self, name) for name in names}

    @no_var_expand
    @line_cell_magic
    @show_result
    def flux(self, line: str, cell: str | None = None) -> Generation | Generations | None:
        from ..client.runner import hide_traceback

        with hide_traceback():  # the first cell loads some modules, and may be interrupted there
            return self._run_flux(line, cell)

    flux.__doc__ = _format_help()

    @line_magic
    @show_result
    def flux_status(self, line: str) -> None:
        """Show versions, where the images are kept, whether the Space answers, and what it takes: `%flux_status`.

        `%flux_status local`, or `%flux_status --space local`, checks a Space other than the configured one.
        `%flux_status --debug` contacts no Space: it shows each job under way, its last event, and what it waits for.
        """
        if _wants_debug(line):
            from ..client.debug import debug

            debug()
            return
        from ..client.blocking import run
        from ..client.doctor import examine

        print(run(examine(settings.resolve(space=_parse_status_line(line)))))

    @no_var_expand
    @line_magic
    @show_result
    def flux_panel(self, line: str) -> Panel:
        """Open the control panel, with widgets for the options of `%flux`: `%flux_panel`.

        Options and a prompt set its first values: `%flux_panel --steps 4 --size 1024x768 a red fox`. It takes --steps,
        --seed, --size, --width, --height, --count, --model and --space. Several seeds or steps, `--seed 1..4`, go into
        the fields of Compare. `panel = %flux_panel` keeps the panel and does not show it.
        """
        if getattr(self._shell, "kernel", None) is None:
            raise InvalidRequest("the panel needs a notebook; here %flux does the same")
        from .panel import Panel

        return Panel(**_parse_panel_line(line))

    def _run_flux(self, line: str, body: str | None) -> Generation | Generations | None:
        asked = cell.read(line, body, self._find_names())
        for one in asked.notes:
            print_note(one)
        if asked.options.get("dry_run"):
            print(replace_controls(asked.describe()))
            return None
        if isinstance(asked.images, list):
            return self._make_images(asked.images, asked.settings, asked.options)
        return self._make_sweep(asked.images, asked.settings, asked.options)

    def _find_names(self) -> Mapping[str, object]:
        """Return the names where the line runs, without IPython's own."""
        names, hidden = caller.find_names(self._shell.user_ns), self._shell.user_ns_hidden
        return {name: value for name, value in names.items() if hidden.get(name, self) is not value}

    @limit_notes()
    def _make_images(
        self, requests: list[ImageRequest], resolved: Settings, options: Mapping[str, Any]
    ) -> Generation | Generations:
        from ..client.blocking import iterate_generations
        from ..client.progress import print_above
        from ..results.generations import Generations

        made: list[Generation] = []
        try:
            for generation in iterate_generations(requests, resolved, quiet=bool(options.get("quiet"))):
                made.append(generation)
                if path := options.get("save"):
                    path = file_names.fill_some(path, {"n": len(made)})
                    saved = generation.save(path, overwrite=bool(options.get("overwrite")))
                    with print_above():
                        print(*(f"saved {file}" for file in saved), sep="\n")
        except BaseException:
            # The cell fails, but the finished images are not lost.
            for finished in made:
                display(finished)
            if made and len(requests) > 1:
                print_note(f"{len(made)} of {len(requests)} images were made")
            raise
        finally:
            result = made[0] if made and len(requests) == 1 else Generations(made)
            if made and (name := options.get("output")):
                self._shell.push({name: result})
        return result

    def _make_sweep(self, asked: Sweep, resolved: Settings, options: Mapping[str, Any]) -> Generations:
        from ..client.batch import Tally
        from ..client.many import announce, gather

        print(replace_controls(announce(asked, resolved)))
        tally = Tally(asked, resolved)
        try:
            gather(tally, resolved, quiet=bool(options.get("quiet")))
        except BaseException as stop:
            # The cell fails, but the finished images are not lost.
            made = self._name_result(tally.collect_generations(), options)
            if made or isinstance(stop, Incomplete):
                display(made)
            with _note_errors():
                _save(made, options)
            if not isinstance(stop, Incomplete):
                print_note(tally.describe_progress())
            raise
        made = self._name_result(tally.collect_generations(), options)
        try:
            _save(made, options)
        except BaseException:
            display(made)
            raise
        return made

    def _name_result(self, made: Generations, options: Mapping[str, Any]) -> Generations:
        if name := options.get("output"):
            self._shell.push({name: made})
        return made


def _save(made: Generations, options: Mapping[str, Any]) -> None:
    if made and (path := options.get("save")):
        saved = set(made.save(path, overwrite=bool(options.get("overwrite"))))
        print(f"saved {len(saved)} image{'' if len(saved) == 1 else 's'} in {path}")


@contextmanager
def _note_errors() -> Iterator[None]:
    """Print an error of the block as a note, as another error is being raised already."""
    try:
        yield
    except FluxError as error:
        print_note(error.message)


def _wants_debug(line: str) -> bool:
    """Return True for `%flux_status --debug`; raise InvalidRequest if a Space is named beside it."""
    options, words = grammar.parse_around(line, grammar.STATUS_OPTIONS, "%flux_status")
    if options.get("debug") and (words or len(options) > 1):
        raise InvalidRequest("%flux_status --debug shows the jobs of every Space: leave the Space out")
    return bool(options.get("debug"))


def _parse_status_line(line: str) -> str | None:
    """Return the Space on the line of `%flux_status`; raise InvalidRequest for several, or for an invalid one."""
    options, words = grammar.parse_around(line, grammar.STATUS_OPTIONS, "%flux_status")
    named = [*words.split(), *options.values()]
    if len(named) > 1:
        raise InvalidRequest(f"%flux_status checks one Space, not {len(named)}: {' or '.join(named[:2])}?")
    for space in named:
        Space.parse(space)
    return named[0] if named else None


def _parse_panel_line(line: str) -> dict[str, Any]:
    """Return the options of a panel that its magic's line gives."""
    options, typed = grammar.parse_line(line, grammar.PANEL_OPTIONS, "%flux_panel")
    several = {name: value for name, value in options.items() if isinstance(value, grammar.Several)}
    if refused := sorted(several.keys() - {"seed", "steps"}):
        raise InvalidRequest(f"--{refused[0]} has several values: the panel compares only --seed and --steps")
    compared = {"compare_seeds": several.get("seed"), "compare_steps": several.get("steps")}
    if not isinstance(typed, grammar.Verbatim):
        grammar.check_options_first(typed, f"%flux_panel {line[: len(line) - len(typed)]}".rstrip())
        typed = slips.unwrap(typed) or typed
    return {
        **cell.get_settings(options),
        **{name: values[0] for name, values in several.items()},
        **{name: grammar.format_values(values) for name, values in compared.items() if values},
        "count": options.get("count", 1),
        "prompt": typed,
    }


def _apply_nest() -> None:
    """Patch asyncio for the whole process, and print a note on kernels where that has a price."""
    from ..client import runner

    runner.get_runner("nest")
    kernel = sys.modules.get("ipykernel")
    if kernel is not None and kernel.version_info[:2] >= (7, 1):
        print_note(
            'with runner = "nest", cells queued behind a %%flux cell are dropped on ipykernel 7.1 and later: '
            "run cells one by one"
        )
