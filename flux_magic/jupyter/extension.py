"""The loading and unloading of the extension: the magics, their completion, their configuration."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

from traitlets import TraitError
from traitlets.config import Config

from ..errors import FluxError
from ..parameters import settings
from ..results.notes import accept_any_text, print_note
from . import completion
from .magics import FluxMagics
from .traits import explain_error

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_SECTION = FluxMagics.__name__

_kept: dict[str, Any] = {}

_loaded: list[tuple[FluxMagics, Any, Config | None]] = []
"""The magics and the matcher that each `load` registered, and the configuration that it found."""


def load(shell: InteractiveShell, *, keep_config: bool) -> None:
    """Register the magics; with `keep_config` restore what `%config` had set before a reload."""
    if getattr(shell, "kernel", None) is None:
        accept_any_text()  # else a terminal's encoding could refuse the prompt after its image was made
    _drop_invalid(shell)
    section = copy.deepcopy(shell.config[_SECTION]) if _SECTION in shell.config else None
    magics = FluxMagics(shell=shell, parent=shell)
    shell.register_magics(magics)
    configurables: list[Any] = shell.configurables
    if magics not in configurables:
        configurables.append(magics)
    settings.configure_by(magics.get_configured)
    matcher = completion.make_matcher(shell)
    if matcher is not None and shell.Completer is not None:
        shell.Completer.custom_matchers.append(matcher)
    _loaded.append((magics, matcher, section))
    if keep_config:
        for name, value in _kept.items():
            setattr(magics, name, value)
    _kept.clear()


def _drop_invalid(shell: InteractiveShell) -> None:
    """Remove wrong values of a profile, with a note each, so that they do not keep the extension from loading."""
    section = shell.config.get(_SECTION, {})
    for name in [name for name in section if name[:1].islower()]:
        if refusal := _find_refusal(name, section[name]):
            del section[name]
            _tell(shell, f"FluxMagics.{name} is left out of the configuration: {refusal}")


def _tell(shell: InteractiveShell, text: str) -> None:
    """Print a note; while a kernel starts its output is not visible, so there the note comes with the first cell."""
    if getattr(shell, "kernel", None) is None or getattr(shell, "parent_header", None):
        print_note(text)
        return

    def once(*_: object) -> None:
        shell.events.unregister("pre_run_cell", once)
        print_note(text)

    shell.events.register("pre_run_cell", once)


def _find_refusal(name: str, value: object) -> str:
    known = FluxMagics.class_traits(config=True)
    if name not in known:
        from ..parameters.dialects import explain

        meant = explain(name, list(known))
        return f"there is no such setting{meant and f': {meant}'}"
    try:
        FluxMagics(config=Config({_SECTION: {name: value}}))
    except TraitError as error:
        return explain_error(error, known[name], "***" if name in {"token", "proxy"} else value)
    return ""


def unload(shell: InteractiveShell) -> None:
    """Remove all that `load` registered; remember for a reload what `%config` had set."""
    while _loaded:
        magics, matcher, section = _loaded.pop()
        _kept.update({name: getattr(magics, name) for name in magics.class_trait_names(config=True)})
        magics.log_level = None
        for kind in ("line", "cell"):
            for name in magics.magics[kind]:
                shell.magics_manager.magics[kind].pop(name, None)
        shell.magics_manager.registry.pop(_SECTION, None)
        configurables: list[Any] = shell.configurables
        if magics in configurables:
            configurables.remove(magics)
        if matcher is not None and matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(matcher)
        _restore(shell, section)
    settings.configure_by(dict)
    FluxError.verbose = False
    if engine := sys.modules.get("flux_magic.providers.diffusers.worker"):
        engine.unload_soon()
    if cluster := sys.modules.get("flux_magic.client.cluster_local"):
        cluster.close_local()


def _restore(shell: InteractiveShell, section: Config | None) -> None:
    """Restore the shell's own configuration: `%config` writes into it as well, even a value that was refused."""
    shell.config.pop(_SECTION, None)
    if section is not None:
        shell.config[_SECTION] = section
