"""The magics, and the settings of `%config FluxMagics`.

Loading the extension loads this module, and no more than the settings need: a magic loads what it does when it runs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from traitlets import Bool, CaselessStrEnum, Dict, Enum, Float, Int, TraitError, Unicode, Union, observe, validate

from ..client.log_output import LEVELS, output
from ..errors import FluxError, InvalidRequest
from ..parameters import settings
from ..parameters.table import Parameter
from ..results.notes import print_note
from .traits import Checked, Sized, explain_error, make_traits
from .usage import show_result

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.utils.bunch import Bunch

    from ..results.generation import Generation
    from ..results.generations import Generations
    from ..results.history import History
    from ..verify import Report
    from .panel import Panel
    from .picker import Picker

    _Text = Unicode[Any, Any]
else:
    _Text = Unicode  # before traitlets 5.10, as in Colab's 5.7, a trait takes no types


class SecretTrait(_Text):
    """A trait whose secret is not shown where IPython prints it: a proxy's password, or all of a token."""

    def validate(self, obj: Any, value: Any) -> Any:
        return _Shy(super().validate(obj, value))


class _Shy(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return repr(re.sub(r"//[^/@]*@", "//***@", str(self)) if "//" in self else "***")


def _format_help() -> str:
    from .help import format_help

    return format_help()


@magics_class
class FluxMagics(Sized, Magics):
    """The magics, and the settings of `%config FluxMagics`. A setting of None takes the default."""

    space = Unicode(None, allow_none=True, help="A Hugging Face id, a URL, or local.").tag(config=True)
    model = Unicode(None, allow_none=True, help="The model's name.").tag(config=True)
    provider = Unicode(None, allow_none=True, help="The engine: space, or another's name.").tag(config=True)
    cluster = Unicode(None, allow_none=True, help="A Dask cluster: local, or a scheduler's address.").tag(config=True)
    locals().update(make_traits())  # steps, seed, width, height, …: a row's trait has its name
    parameters = Dict(None, allow_none=True, help='The model\'s own parameters, by its own names: {"shift": 4.0}.').tag(
        config=True
    )
    inline = Enum(settings.INLINE, None, allow_none=True, help="How an image is embedded.").tag(config=True)
    only_image = Bool(None, allow_none=True, help="Show images without table and cell.").tag(config=True)
    sign = Bool(None, allow_none=True, help="Sign images with your own key (C2PA).").tag(config=True)
    sign_as = Unicode(None, allow_none=True, help="The creator's name in what is signed.").tag(config=True)
    caption = Unicode(None, allow_none=True, help="Words under each image.").tag(config=True)
    alt = Unicode(None, allow_none=True, help="Alternative text of each image.").tag(config=True)
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
    device = Unicode(None, allow_none=True, help="Where diffusers runs: auto, cuda, mps or cpu.").tag(config=True)
    dtype = Enum(settings.DTYPES, None, allow_none=True, help="The numbers that diffusers computes with.").tag(
        config=True
    )
    offload = Enum(settings.OFFLOAD, None, allow_none=True, help="What diffusers keeps off the GPU.").tag(config=True)
    batch = Union(
        (Int(), Unicode()), default_value=None, allow_none=True, help="Images that diffusers makes at once, or auto."
    ).tag(config=True)
    runner = Enum(
        settings.RUNNERS, "thread", help="Where coroutines run: a thread's loop, or the kernel's own (nest)."
    ).tag(config=True)
    log_level = CaselessStrEnum(
        LEVELS, None, allow_none=True, help="Show the log from this level up below the cell at work."
    ).tag(config=True)
    verbose_errors = Bool(False, help="Show the traceback of an error as well.").tag(config=True)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._put: set[tuple[str, str]] = set()  # the cells that were put below another, by its id

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
                from ..parameters.dialects import explain

                meant = explain(name, known) or f"there are {', '.join(known)}"
                raise InvalidRequest(f"FluxMagics has no setting {name}: {meant}")
            try:
                setattr(self, name, value)
            except TraitError as error:
                why = explain_error(error, self.traits()[name], "***" if name in {"token", "proxy"} else value)
                raise InvalidRequest(f"FluxMagics.{name} stays {getattr(self, name)!r}: {why}") from None
        super().update_config(config)

    @validate(
        *("space", "model", "provider", "store", "shared_store", "proxy", "token", "timeout", "parameters"),
        *("device", "batch", "cluster"),
    )
    def _check_setting(self, proposal: Bunch) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            if name in {"model", "provider"} and value:
                self._check_model(**{"model": self.model or "", "provider": self.provider, name: value})
            else:
                settings.check_setting(name, value)
        except InvalidRequest as error:
            raise TraitError(str(error)) from None
        return value

    def _check_model(self, model: str, provider: str | None) -> None:
        """Raise InvalidRequest for an unknown provider, and for a model that it does not have.

        A model that only the next provider has is reported when an image is made.
        """
        from ..providers.registry import choose_provider, find_engine

        if find_engine(provider) is None and model:
            choose_provider(model, None)

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
        """Make an image of what the prompt says, and show it with the parameters that made it.

        `%flux?` and `%flux --help` show every option with an example.
        """
        from ..client.runner import hide_traceback

        with hide_traceback():  # the first cell loads some modules, and may be interrupted there
            from .making import run_flux

            return run_flux(self._shell, line, cell)

    flux.getdoc = _format_help  # type: ignore[union-attr]  # IPython asks this before it reads the docstring

    @line_magic
    @show_result
    def flux_status(self, line: str) -> None:
        """Show versions, where the images are kept, whether the Space answers, and what it takes: `%flux_status`.

        `%flux_status local`, or `%flux_status --space local`, checks a Space other than the configured one.
        `%flux_status --debug` contacts no Space: it shows each job under way, its last event, and what it waits for.
        """
        from .lines import show_status

        show_status(line)

    @no_var_expand
    @line_magic
    @show_result
    def flux_panel(self, line: str) -> Panel:
        """Open the control panel, with widgets for the options of `%flux`: `%flux_panel`.

        Options and a prompt set its first values: `%flux_panel --steps 4 --size 1024x768 a red fox`. It takes --count,
        --model, --space, and the options of parameters, such as --seed, --guidance and --set. Several values, of two at
        most, `--seed 1..4`, go into the fields of Compare. `panel = %flux_panel` keeps the panel and does not show it.

        Run in another kernel, the same cell brings back what was set and made; options on its line win. `--new` starts
        over.
        """
        from .lines import open_panel

        return open_panel(self._shell, line)

    @no_var_expand
    @line_magic
    @show_result
    def flux_pick(self, line: str) -> Generations | Picker | None:
        """Choose which images of a sheet to keep, by click: `%flux_pick foxes --output best`.

        *Keep* gives the ticked images that name (`best` by default), and shows the line that keeps the same ones again
        without a click: `%flux_pick foxes --keep 1,4,7 --output best`. The numbers count as the sheet does, from 1, and
        `1..3` is a range; the images come in the order of the line, with the labels that they had. If a seed was random
        the line has digests, `--keep 1a2b3c4d5e6f`, as a new run would put other images in these places. Several names,
        of images too, are chosen from at once: `%flux_pick foxes hare`. In Python: `foxes.pick(1, 4, 7)`.
        """
        from .picking import run_pick

        return run_pick(self._shell, line)

    @no_var_expand
    @line_magic
    @show_result
    def flux_history(self, line: str) -> History | None:
        """Show what is in the store, the newest first: `%flux_history`.

        A notebook opens a gallery. `--last 50`, or 50 alone, shows so many on a page, each with its cell. `--search
        fox`, or fox alone, shows those whose prompt has the word; `--model`, `--seed` and other parameters, `--after`
        and `--before` a day, `--starred` and `--tag` narrow that down. `--mark fox --starred --tag best` gives the
        image `fox`, or that of a digest, a star and a tag; `--unmark fox` takes them off. `--delete 1a2b3c4d5e6f`
        deletes one from the store by its digest. The result is a sequence: `_[0]` is the newest.
        """
        from .provenance import run_history

        return run_history(self._shell, line)

    @no_var_expand
    @line_magic
    @show_result
    def flux_recall(self, line: str) -> Panel | None:
        """Put the cell that makes an image into the next cell: `%flux_recall fox.png`.

        It takes a file, an http(s) URL, an image's name in the notebook (`fox`), its digest, or how many images of this
        session to count back: `%flux_recall 1` is the most recent. A session ends when its kernel does. Settings
        without a counterpart here are listed. Running the cell again adds no second cell. `%flux_recall --panel
        fox.png` opens the control panel with it.
        """
        from .provenance import run_recall

        return run_recall(self._shell, line, self._put)

    @no_var_expand
    @line_magic
    @show_result
    def flux_verify(self, line: str) -> Report:
        """Regenerate images from their records, and check that they are the same: `%flux_verify pictures/`.

        It takes images, folders and saved notebooks. `--static` contacts no Space, and only compares the images with
        their records. `--space SPACE` regenerates all of them there. `--concurrency 4` regenerates more at once.
        `--html FILE` and `--json FILE` write what was found. The result has `.passed`.
        """
        from .provenance import run_verify

        return run_verify(self._shell, line)


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
