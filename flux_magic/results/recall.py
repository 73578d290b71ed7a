"""From an image back to the cell that makes it, and to what in it has no counterpart here."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import FluxError, InvalidRequest, NotAnImage, RecordError
from ..images import codecs, metadata
from ..parameters.paths import expand
from ..parameters.table import SIZE_STEP
from ..records import embedding, foreign, signing
from ..records import record as records
from ..records.command import needed_options, options_of, write_call, write_cell
from ..records.files import read_file
from ..records.record import Carried
from ..records.sidecar import carried_beside
from ..records.signing import Credentials
from ..types import UNKNOWN, Record, printable
from . import output
from .generation import Generation, ImageFile
from .table import Table, as_text

_OURS: Final = "flux_magic"


@dataclass(frozen=True, slots=True)
class Recalled:
    """How an image was made, as far as it can be made here.

    Attributes:
        name: the image's, as it was given.
        tool: what it was made with: `flux_magic`, `AUTOMATIC1111`, `ComfyUI`, `Fooocus` …, or `unknown`.
        options: what `generate` takes, as far as it is known: `prompt`, `steps`, `seed`, `width`, `height`, `model`,
            `space`.
        unmatched: what has no counterpart here, and what else should be known: a short line each.
        record: ours, where it has one.
        generation: the image itself, where its bytes are those that were delivered.
        credentials: its content credentials (C2PA), where it has some.
    """

    name: str
    tool: str
    options: dict[str, Any]
    unmatched: tuple[str, ...] = ()
    record: Record | None = None
    generation: Generation | None = None
    credentials: Credentials | None = None

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
        return needed_options(self.record) if self.record is not None else dict(self.options)

    def described(self) -> str:
        """All that is known, in lines of text: what `flux-magic info` prints."""
        facts = _facts(self.record) if self.record else {"made with": self.tool}
        signed = [("C2PA", str(self.credentials))] if self.credentials else []
        notes = [("note", one) for one in self.unmatched]
        rows = tuple((name, printable(value)) for name, value in [*facts.items(), *signed, *notes])
        return f"{printable(self.name)}\n{as_text(Table((), rows), least=10, gap=1)}\n\n{self.cell}"

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-ready values: `tool`, `options`, `unmatched`, `cell`, `record` and `credentials` or null."""
        return {
            "tool": self.tool,
            "options": self.options,
            "unmatched": list(self.unmatched),
            "cell": self.cell,
            "record": self.record.as_dict() if self.record else None,
            "credentials": self.credentials.as_dict() if self.credentials else None,
        }

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's
        """Show the cell where IPython shows a value."""
        printer.text(str(self))

    def __str__(self) -> str:
        made_with = printable(self.tool) if self.record is None else f"{self.tool}, by {printable(self.record.model)}"
        signed = [str(self.credentials)] if self.credentials else []
        notes = "".join(f"\n  - {printable(one)}" for one in [*signed, *self.unmatched])
        return f"{printable(self.name)}: made with {made_with}{notes}\n\n{self.cell}"


def recall(image: str | Path) -> Recalled:
    """What made an image file: one of ours, or of AUTOMATIC1111's web UI, ComfyUI or another tool (`recipe`).

    Raises InvalidRequest where there is no such file, NotAnImage for what is none or is damaged, RecordError for one
    that does not say what made it.
    """
    path, data = _read(str(image))
    beside = _beside(path, data)
    if beside is None:
        return recalled_from(data, str(image))
    return replace(_of_record(beside, data, str(image)), credentials=signing.read(data))


def recalled_from(data: bytes, name: str) -> Recalled:
    """What made the image with these bytes; raises NotAnImage and RecordError, which says who signed it."""
    signed = signing.read(data)
    try:
        return replace(_recalled_from(data, name), credentials=signed)
    except RecordError as error:
        if signed is None:
            raise
        verb = "" if signed.state == "unread" else "is "
        hint = "" if error.hint == _LEFT_OUT else f"{error.hint} "
        raise RecordError(error.message, f"{hint}The file {verb}{signed}.".lstrip()) from error


def _recalled_from(data: bytes, name: str) -> Recalled:
    damaged = None
    try:
        if carried := embedding.read(data):
            return _of_record(carried, data, name)
    except RecordError as error:
        damaged = error
    words = metadata.read(data).words
    recipe = foreign.from_texts(words)
    if recipe is None:
        nothing = damaged or RecordError(foreign.describe_unread(words) or _NOTHING, _READ_TOOLS)
        raise RecordError(f"{name}: {nothing.message}", _LEFT_OUT if nothing.message == _NOTHING else nothing.hint)
    if not recipe.prompt.strip():
        raise RecordError(f"{name}: {_without_prompt(recipe)}", _known(recipe))
    return _of_recipe(recipe, name, damaged.message if damaged else "")


def _without_prompt(recipe: foreign.Recipe) -> str:
    if recipe.doubt:
        return f"{recipe.tool} made it, but we are not sure what its prompt was: {printable(recipe.doubt)}"
    return f"{recipe.tool} made it, but its prompt is not in the file"


def _known(recipe: foreign.Recipe) -> str:
    """Return the settings of an image without a prompt, for the user to go on with."""
    size = f"{recipe.width}×{recipe.height}" if recipe.width and recipe.height else None
    facts = {"seed": recipe.seed, "steps": recipe.steps, "size": size}
    known = [f"{name} {value}" for name, value in facts.items() if value is not None]
    return f"It was made with {', '.join(known)}: write a prompt of your own." if known else ""


def recalled(generation: Generation, name: str) -> Recalled:
    """What made an image of this process."""
    return Recalled(name, _OURS, options_of(generation.record), (), generation.record, generation)


_NOTHING: Final = "the image does not say what made it"
_LEFT_OUT: Final = "Whoever saved it may have left that out; a chat or a web site often does."
_READ_TOOLS: Final = (
    "We read images of A1111, ComfyUI, InvokeAI, SwarmUI, Fooocus, NovelAI, Draw Things, Midjourney, mflux and Civitai."
)


def _read(name: str) -> tuple[Path, bytes]:
    try:
        path = Path(expand(name))
        data = read_file(path)
    except (OSError, ValueError, RuntimeError) as exc:  # of a NUL; of a home that is not known
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise InvalidRequest(f"cannot read {name}: {reason}") from exc
    codecs.check_readable(name, data)
    return path, data


def _beside(path: Path, data: bytes) -> Carried | None:
    """What the record beside a file says; None where there is none, it is of another image, or one is inside."""
    with contextlib.suppress(NotAnImage):  # a decoder may read it all the same
        if metadata.read(data).record:
            return None
    carried = carried_beside(path, data)
    if carried is None or carried.copy is not None:
        return carried
    with contextlib.suppress(NotAnImage):
        digest = codecs.digest_of(data)
        for place, file in enumerate(carried.record.files):
            if file.digest == digest:
                return Carried(carried.record, embedding.copy_of(data, carried.record, place, same_pixels=True))
    return None


def _of_record(carried: Carried, data: bytes, name: str) -> Recalled:
    record = carried.record
    notes = []
    if record.seed is None:
        notes.append("its seed is not known: the Space chose it and did not tell")
    if said := records.contradiction(record):
        notes.append(f"its record was edited: {said}")
    if not _is_what_it_was(carried, data):
        notes.append("the picture was altered since: its cell makes what it was before")
    return Recalled(name, _OURS, options_of(record), tuple(notes), record, _generation(carried, data))


def _is_what_it_was(carried: Carried, data: bytes) -> bool:
    if carried.copy is None or embedding.is_untouched(data, carried):
        return True
    try:
        return codecs.digest_of(data) == carried.copy.digest
    except NotAnImage:
        return False


def _generation(carried: Carried, data: bytes) -> Generation | None:
    """The image as a generation, where these are the bytes that were delivered, their metadata apart."""
    record, copy = carried.record, carried.copy
    if copy is None or record.seed is None:
        return None
    file = record.files[copy.file]
    delivered = next((one for one in embedding.readings(data) if embedding.sha256(one) == file.sha256), None)
    if delivered is None:
        return None
    alone = replace(record, files=(file,))
    try:
        request = records.request_of(record)
    except FluxError:
        return None
    return Generation(request, alone, (ImageFile(file, delivered),), replayed=True)


def _facts(record: Record) -> dict[str, str]:
    around = record.circumstances
    known = {
        "made with": f"flux_magic {around.version}",
        "model": output.model(record),
        "Space": record.space,
        "provider": record.provider,
        "prompt": " ".join(record.prompt.split()),
        "seed": UNKNOWN if record.seed is None else str(record.seed),
        "size": output.made_size(record),
        "steps": str(record.steps),
        **output.other_parameters(record),
        **output.sent_values(record),
        "digest": ", ".join(f"sha256:{file.digest}" for file in record.files),
        "started": around.started,
        "Gradio": around.gradio,
        "decoder": around.decoder,
        "commit": around.space_commit,
    }
    optional = ("started", "Gradio", "decoder", "commit")
    return {name: value for name, value in known.items() if name not in optional or value != UNKNOWN}


def _of_recipe(recipe: foreign.Recipe, name: str, damaged: str) -> Recalled:
    given = {"prompt": recipe.prompt, "steps": recipe.steps, "seed": recipe.seed}
    notes = [*([damaged] if damaged else []), *recipe.unmatched]
    if recipe.width and recipe.height:
        if min(recipe.width, recipe.height) >= SIZE_STEP:
            given |= {"width": recipe.width, "height": recipe.height}
        else:
            notes.append(f"size: {recipe.width}×{recipe.height}")
    options = {name: value for name, value in given.items() if value is not None}
    return Recalled(name, recipe.tool, options, tuple(notes))
