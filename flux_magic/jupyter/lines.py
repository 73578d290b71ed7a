"""The lines of `%flux_status` and `%flux_panel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from ..images.inputs import ROLES
from ..parameters import grammar, settings, slips
from ..parameters.addresses import Space
from ..parameters.options import collect_settings, read_own
from . import caller
from .inputs import find_given

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .panel import Panel


def show_status(line: str) -> None:
    """Print what `%flux_status` shows."""
    if _wants_debug(line):
        from ..client.debug import debug

        debug()
        return
    from ..client.blocking import run
    from ..client.doctor import examine

    print(run(examine(settings.resolve(**_parse_status_line(line)))))


def open_panel(shell: InteractiveShell, line: str) -> Panel:
    """Return the panel that `%flux_panel` opens; raise InvalidRequest where there is no notebook to show it."""
    if getattr(shell, "kernel", None) is None:
        raise InvalidRequest("the panel needs a notebook; here %flux does the same")
    from ..client.inputs import load_inputs
    from .panel import Panel

    options = _parse_panel_line(line)
    named: dict[str, Any] = {name: options.pop(name) for name in ROLES if name in options}
    if named:
        given, _ = find_given(named, caller.find_names(shell.user_ns))
        options["images"] = load_inputs(given, settings.resolve())
    return Panel(**options)


def _wants_debug(line: str) -> bool:
    """Return True for `%flux_status --debug`; raise InvalidRequest if a Space is named beside it."""
    options, words = grammar.parse_around(line, grammar.STATUS_OPTIONS, "%flux_status")
    if options.get("debug") and (words or len(options) > 1):
        raise InvalidRequest("%flux_status --debug shows the jobs of every Space: leave the Space out")
    return bool(options.get("debug"))


def _parse_status_line(line: str) -> dict[str, Any]:
    """Return what the line of `%flux_status` names: a Space, or that of the model on it; or an engine and a model.

    Raises InvalidRequest for several Spaces, or for an invalid one.
    """
    options, words = grammar.parse_around(line, grammar.STATUS_OPTIONS, "%flux_status")
    named = [*words.split(), *filter(None, [options.get("space")])]
    if len(named) > 1:
        raise InvalidRequest(f"%flux_status checks one Space, not {len(named)}: {' or '.join(named[:2])}?")
    others: dict[str, Any] = {name: options[name] for name in ("model", "provider") if name in options}
    for space in named:
        if own := _find_own_space(space):
            return {**others, "space": own}
        Space.parse(space)
    return {**others, "space": named[0] if named else None}


def _find_own_space(model: str) -> str:
    """Return the Space of a model, by its short name; empty for anything else."""
    from ..providers.models import list_models

    return next((one.space for one in list_models() if model in one.aliases), "")


def _parse_panel_line(line: str) -> dict[str, Any]:
    """Return the options of a panel that its magic's line gives."""
    options, typed = grammar.parse_line(line, grammar.PANEL_OPTIONS, "%flux_panel")
    several: dict[str, Any] = {one: value for one, value in options.items() if isinstance(value, grammar.Several)}
    own = read_own(options)
    several |= {name: values for name, values in own.items() if len(values) > 1}
    if refused := sorted(several.keys() & {"width", "height"}):
        raise InvalidRequest(f"--{refused[0]} has several values: the panel compares whole sizes, --size")
    if len(several) > 2:
        named = ", ".join(several)
        raise InvalidRequest(f"{len(several)} options have several values, {named}: the panel compares two at most")
    if not isinstance(typed, grammar.Verbatim):
        grammar.check_options_first(typed, f"%flux_panel {line[: len(line) - len(typed)]}".rstrip())
        typed = slips.unwrap(typed) or typed
    given = collect_settings(options)
    given |= {name: values[0] for name, values in several.items() if name not in own}
    if own:
        given["parameters"] = {name: values[0] for name, values in own.items()}
    compared = {name: grammar.format_values(values) for name, values in several.items()}
    given |= {name: options[name] for name in ROLES if name in options}
    new = {"new": True} if "new" in options else {}
    told = {"compared": compared, "count": options.get("count"), "prompt": typed}
    return {**given, **new, **{name: value for name, value in told.items() if value}}
