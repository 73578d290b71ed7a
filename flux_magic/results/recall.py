"""The way back from an image to the cell that makes it, and to the settings without a counterpart here."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import FluxError, InvalidRequest, NotAnImage, RecordError
from ..images import codecs, metadata
from ..parameters.paths import expand
from ..parameters.settings import resolve
from ..parameters.sizes import SIZE_STEP
from ..records import embedding, foreign, signing
from ..records import record as records
from ..records.command import get_needed_options, get_options, write_call, write_cell
from ..records.files import read_file
from ..records.record import Carried
from ..records.sidecar import find_carried_beside
from ..records.signing import Credentials
from ..records.store import open_store
from ..types import UNKNOWN, Record, make_printable
from . import output
from .generation import Generation, ImageFile
from .origin import describe_inputs
from .table import Table, as_text

_OURS: Final = "flux_magic"


@dataclass(frozen=True, slots=True)
class Recalled:
    """A description of how an image was made, as far as it can be made here.

    Attributes:
        name: the image's name, as the caller gave it.
        tool: the tool that made it: `flux_magic`, `AUTOMATIC1111`, `ComfyUI`, `Fooocus` …, or `unknown`.
        options: the options of `generate`, as far as they are known: `prompt`, `steps`, `seed`, `width`, `height`,
            `guidance`, `negative_prompt`, `strength`, `parameters`, `model`, `space`, and `image` and `mask` by their
            digests. Those of other tools never name an image.
        left_out: the names of options that the model at hand does not take; the cell is without them.
        unmatched: settings without a counterpart here, and other remarks: a short line each.
        record: our record, if it has one.
        generation: the image itself, if its bytes are the delivered ones.
        credentials: its content credentials (C2PA), if it has any.
    """

    name: str
    tool: str
    options: dict[str, Any]
    unmatched: tuple[str, ...] = ()
    record: Record | None = None
    generation: Generation | None = None
    credentials: Credentials | None = None
    left_out: tuple[str, ...] = ()

    @property
    def usable(self) -> dict[str, Any]:
        """The options that the model at hand takes: `flux_magic.generate(**found.usable)`."""
        return {name: value for name, value in self.options.items() if name not in self.left_out}

    @property
    def cell(self) -> str:
        """The cell that makes it."""
        options = self._needed
        return write_cell(options.pop("prompt"), **options)

    @property
    def call(self) -> str:
        """The Python that makes it, in ASCII."""
        options = self._needed
        return write_call(options.pop("prompt"), **options)

    @property
    def _needed(self) -> dict[str, Any]:
        return get_needed_options(self.record) if self.record is not None else self.usable

    def describe(self) -> str:
        """Return all that is known, in lines of text, as `flux-magic info` prints it."""
        facts = _collect_facts(self.record) if self.record else {"made with": self.tool}
        images = [("image", one) for one in self._describe_inputs()]
        signed = [("C2PA", one) for one in self._describe_credentials()]
        notes = [("note", one) for one in self.unmatched]
        rows = tuple((name, make_printable(value)) for name, value in [*facts.items(), *images, *signed, *notes])
        return f"{make_printable(self.name)}\n{as_text(Table((), rows), least=10, gap=1)}\n\n{self.cell}"

    def _describe_inputs(self) -> list[str]:
        """Return what went in, in words."""
        return describe_inputs(self.record, open_store(resolve())) if self.record and self.record.images else []

    def _describe_credentials(self) -> list[str]:
        """Return who signed the file, and each file that went into it, a line each."""
        signed = self.credentials
        return [] if signed is None else [str(signed), *(f"{one.relation} {one}" for one in signed.ingredients)]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values: `tool`, `options`, `unmatched`, `cell`, and `record` and `credentials` or null."""
        return {
            "tool": self.tool,
            "options": self.options,
            "unmatched": list(self.unmatched),
            "cell": self.cell,
            "record": self.record.as_dict() if self.record else None,
            "credentials": self.credentials.as_dict() if self.credentials else None,
        }

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's
        """Show the cell when IPython shows the value."""
        printer.text(str(self))

    def __str__(self) -> str:
        made_with = (
            make_printable(self.tool) if self.record is None else f"{self.tool}, by {make_printable(self.record.model)}"
        )
        signed = self._describe_credentials()
        images = [f"image {one}" for one in self._describe_inputs()]
        notes = "".join(f"\n  - {make_printable(one)}" for one in [*images, *signed, *self.unmatched])
        return f"{make_printable(self.name)}: made with {made_with}{notes}\n\n{self.cell}"


def recall(image: str | Path) -> Recalled:
    """Return what made an image file of ours, of AUTOMATIC1111's web UI, ComfyUI or another tool.

    Raises InvalidRequest if there is no such file, and NotAnImage if it is not an image or is damaged. Raises
    RecordError if it does not say what made it.
    """
    path, data = _read(str(image))
    beside = _read_beside(path, data)
    if beside is None:
        return recall_bytes(data, str(image))
    return replace(_recall_record(beside, data, str(image)), credentials=signing.read(data))


def recall_bytes(data: bytes, name: str) -> Recalled:
    """Return what made the image with these bytes. Raises NotAnImage, and RecordError, which names the signer."""
    signed = signing.read(data)
    try:
        return replace(_recall_bytes(data, name), credentials=signed)
    except RecordError as error:
        if signed is None:
            raise
        if signed.carried is not None:  # the words in the file are gone, and the signed ones are not
            return replace(_recall_record(signed.carried, data, name), credentials=signed)
        verb = "is " if signed.is_read else ""
        hint = "" if error.hint == _LEFT_OUT else f"{error.hint} "
        raise RecordError(error.message, f"{hint}The file {verb}{signed}.".lstrip()) from error


def _recall_bytes(data: bytes, name: str) -> Recalled:
    damaged = None
    try:
        if carried := embedding.read(data):
            return _recall_record(carried, data, name)
    except RecordError as error:
        damaged = error
    words = metadata.read(data).words
    recipe = foreign.read_texts(words)
    if recipe is None:
        nothing = damaged or RecordError(foreign.describe_unread(words) or _NOTHING, _READ_TOOLS)
        raise RecordError(f"{name}: {nothing.message}", _LEFT_OUT if nothing.message == _NOTHING else nothing.hint)
    if not recipe.prompt.strip():
        raise RecordError(f"{name}: {_explain_no_prompt(recipe)}", _list_known(recipe))
    return _recall_recipe(recipe, name, damaged.message if damaged else "")


def _explain_no_prompt(recipe: foreign.Recipe) -> str:
    if recipe.doubt:
        return f"{recipe.tool} made it, but we are not sure what its prompt was: {make_printable(recipe.doubt)}"
    return f"{recipe.tool} made it, but its prompt is not in the file"


def _list_known(recipe: foreign.Recipe) -> str:
    """Return the settings of an image without a prompt, for the user to go on with."""
    size = f"{recipe.width}×{recipe.height}" if recipe.width and recipe.height else None
    facts = {"seed": recipe.seed, "steps": recipe.steps, "size": size}
    known = [f"{name} {value}" for name, value in facts.items() if value is not None]
    return f"It was made with {', '.join(known)}: write a prompt of your own." if known else ""


def recall_generation(generation: Generation, name: str) -> Recalled:
    """Return what made an image of this process."""
    return Recalled(name, _OURS, get_options(generation.record), (), generation.record, generation)


_NOTHING: Final = "the image does not say what made it"
_LEFT_OUT: Final = "The record may have been left out when it was saved; chats and web sites often remove it."
_READ_TOOLS: Final = (
    "We read images of A1111, ComfyUI, InvokeAI, SwarmUI, Fooocus, NovelAI, Draw Things, Midjourney, mflux and Civitai."
)


def _read(name: str) -> tuple[Path, bytes]:
    try:
        path = Path(expand(name))
        data = read_file(path)
    except (OSError, ValueError, RuntimeError) as exc:  # a NUL in the path; an unknown home folder
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise InvalidRequest(f"cannot read {name}: {reason}") from exc
    codecs.check_readable(name, data)
    return path, data


def _read_beside(path: Path, data: bytes) -> Carried | None:
    """Return the record beside a file; None without one, if it is of another image, or if a record is inside."""
    with contextlib.suppress(NotAnImage):  # a decoder may read it all the same
        if metadata.read(data).record:
            return None
    carried = find_carried_beside(path, data)
    if carried is None or carried.copy is not None:
        return carried
    with contextlib.suppress(NotAnImage):
        digest = codecs.compute_digest(data)
        for place, file in enumerate(carried.record.files):
            if file.digest == digest:
                return Carried(carried.record, embedding.describe_copy(data, carried.record, place, same_pixels=True))
    return None


def _recall_record(carried: Carried, data: bytes, name: str) -> Recalled:
    record = carried.record
    notes = []
    if record.seed is None:
        notes.append("its seed is not known: the Space chose it and did not report it")
    if said := records.find_contradiction(record):
        notes.append(f"its record was edited: {said}")
    if not _is_unchanged(carried, data):
        notes.append("the image was altered since: its cell makes the original")
    return Recalled(name, _OURS, get_options(record), tuple(notes), record, _open_generation(carried, data))


def _is_unchanged(carried: Carried, data: bytes) -> bool:
    if carried.copy is None or embedding.is_untouched(data, carried):
        return True
    try:
        return codecs.compute_digest(data) == carried.copy.digest
    except NotAnImage:
        return False


def _open_generation(carried: Carried, data: bytes) -> Generation | None:
    """Return the image as a generation if these are the delivered bytes, apart from their metadata; otherwise None."""
    record, copy = carried.record, carried.copy
    if copy is None or record.seed is None:
        return None
    file = record.files[copy.file]
    delivered = next(
        (one for one in embedding.list_readings(data) if embedding.compute_sha256(one) == file.sha256), None
    )
    if delivered is None:
        return None
    alone = replace(record, files=(file,))
    try:
        request = records.build_request(record)
    except FluxError:
        return None
    return Generation(request, alone, (ImageFile(file, delivered),), replayed=True)


def _collect_facts(record: Record) -> dict[str, str]:
    around = record.circumstances
    known = {
        "made with": f"flux_magic {around.version}",
        "model": output.describe_model(record),
        "Space": record.space,
        "provider": record.provider,
        "prompt": " ".join(record.prompt.split()),
        "seed": UNKNOWN if record.seed is None else str(record.seed),
        "size": output.format_made_size(record),
        "steps": output.describe_steps(record),
        **output.list_other_parameters(record),
        **output.list_sent_values(record),
        "digest": ", ".join(f"sha256:{file.digest}" for file in record.files),
        "started": around.started,
        "Gradio": around.gradio,
        "decoder": around.decoder,
        "commit": around.space_commit,
    }
    optional = ("started", "Gradio", "decoder", "commit")
    return {name: value for name, value in known.items() if name not in optional or value != UNKNOWN}


def _recall_recipe(recipe: foreign.Recipe, name: str, damaged: str) -> Recalled:
    given = {"prompt": recipe.prompt, "steps": recipe.steps, "seed": recipe.seed}
    notes = [*([damaged] if damaged else []), *recipe.unmatched]
    if recipe.width and recipe.height:
        if min(recipe.width, recipe.height) >= SIZE_STEP:
            given |= {"width": recipe.width, "height": recipe.height}
        else:
            notes.append(f"size: {recipe.width}×{recipe.height}")
    negative = recipe.negative_prompt or None
    extra = {"guidance": recipe.guidance, "negative_prompt": negative, "strength": recipe.strength}
    options = {name: value for name, value in {**given, **extra}.items() if value is not None}
    left_out = {one: why for one in extra if one in options and (why := _explain_left_out(one))}
    refused = [f"{one.replace('_', ' ')} {_show(options[one])}: {why}" for one, why in left_out.items()]
    return Recalled(name, recipe.tool, options, (*refused, *notes), left_out=tuple(left_out))


def _explain_left_out(name: str) -> str:
    """Return why a cell for the model at hand is without a parameter, in words; "" if it has it.

    If nothing is known of the model, the cell has it, except for the strength: the cell names no image to change.
    """
    from ..providers.registry import choose_provider, takes_parameter

    with contextlib.suppress(FluxError):
        settings = resolve()
        taken = takes_parameter(name, settings.model, settings.space, settings.provider)
        if taken is False:
            provider = choose_provider(settings.model, None, settings.provider)
            own = provider.own_space().rpartition("/")[2] or provider.get_model(settings.model)
            return f"{settings.space or own} takes none"
        if taken is None and name == "strength":
            return "it needs the image, --image"
    return ""


def _show(value: object) -> str:
    return json.dumps(foreign.shorten_line(value, 70), ensure_ascii=False) if isinstance(value, str) else f"{value:g}"
