"""What one job gave: its record with its files, and how it is shown and saved."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import FluxError, InvalidArgument, InvalidRequest, NotAnImage, SaveError
from ..images import codecs
from ..parameters.calls import checked_class, path_text
from ..parameters.paths import check_writable, expand
from ..parameters.settings import Settings
from ..records import embedding, in_hand
from ..records.command import write_command
from ..records.files import read_file, write_whole
from ..records.sidecar import place_beside, write_beside
from ..records.store import Stored, read_picture
from ..types import FileRecord, ImageRequest, Log, Preview, Queued, Record, Running, Waiting
from . import file_names
from . import output as display
from .notes import note, once

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image of a job.

    Attributes:
        record: its media type, size and digest.
        source: the bytes as delivered, or the file in the store that has them.
        url: the Space's address of it, which dies within hours; empty where it came from a store.
    """

    record: FileRecord
    source: bytes | Path = field(repr=False)
    url: str = ""

    @property
    def data(self) -> bytes:
        """The bytes as delivered; raises StoreError if the store has them no more, and they are not the last ones."""
        if isinstance(self.source, bytes):
            return self.source
        return in_hand.find(self.source, self.record.sha256) or read_picture(self.source, self.record.sha256)

    @property
    def path(self) -> Path | None:
        """The file in the store; None where nothing is kept."""
        return self.source if isinstance(self.source, Path) else None

    def at(self, path: Path) -> ImageFile:
        """The same image, with its bytes in a file alone."""
        return replace(self, source=path)

    @property
    def media_type(self) -> str:
        """Its media type as delivered: `image/png`, `image/jpeg`, `image/webp`, `image/gif` or `image/avif`."""
        return self.record.media_type

    @property
    def digest(self) -> str:
        """sha256 of the pixels, 64 hex digits."""
        return self.record.digest

    @property
    def width(self) -> int:
        """Pixels."""
        return self.record.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.record.height

    @property
    def image(self) -> Image:
        """The picture, decoded anew at each call (Pillow); raises StoreError as `data` does, and NotAnImage."""
        return codecs.decode(self.data)


@checked_class
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Generation:
    """One job with one seed: what was asked for, what was recorded, and the files that came back.

    In a notebook it shows itself: the picture, then the parameters and the cell that makes it again.

    Attributes:
        request: what was asked for.
        record: what made it; all that is needed to make it again.
        files: one or more, in the Space's order.
        inline: how a notebook embeds it: `png`, `jpeg`, `link`, or None for what keeps it best.
        metadata: whether what is embedded or saved carries the record.
        strip_credentials: whether content credentials (C2PA) are taken out of what is embedded or saved.
        replayed: whether it came from the store, and no Space was asked.
        note: what a person should know of it, such as why it is not in the store; mostly empty.

    Example::

        >>> fox = flux_magic.generate("a red fox", seed=42, quiet=True)
        >>> fox.seed, fox.image.size == (fox.width, fox.height)
        (42, True)
    """

    request: ImageRequest
    record: Record
    files: tuple[ImageFile, ...]
    inline: str | None = None
    metadata: bool = True
    replayed: bool = False
    note: str = ""
    strip_credentials: bool = False

    @property
    def data(self) -> bytes:
        """The first file's bytes as delivered; raises StoreError where the store has them no more."""
        return self.files[0].data

    @property
    def digest(self) -> str:
        """The first file's: sha256 of the pixels, 64 hex digits."""
        return self.files[0].digest

    @property
    def width(self) -> int:
        """The first file's, in pixels."""
        return self.files[0].width

    @property
    def height(self) -> int:
        """The first file's, in pixels."""
        return self.files[0].height

    @property
    def url(self) -> str:
        """The first file's address, which dies within hours."""
        return self.files[0].url

    @property
    def path(self) -> Path | None:
        """The first file's, in the store; None where nothing is kept."""
        return self.files[0].path

    @property
    def image(self) -> Image:
        """The first file's image (Pillow), decoded at each call: some 20 ms a megapixel, and memory of its own.

        Keep it in a name to use it twice: what is drawn into it changes no other. Raises StoreError as `data` does, and
        NotAnImage.
        """
        return self.files[0].image

    @property
    def images(self) -> list[Image]:
        """The image of each file, as `image`."""
        return [file.image for file in self.files]

    @property
    def prompt(self) -> str:
        """The text that was sent."""
        return self.record.prompt

    @property
    def seed(self) -> int | None:
        """The seed that was used; None where the Space chose it and did not tell."""
        return self.record.seed

    @property
    def steps(self) -> int:
        """Inference steps."""
        return self.record.steps

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What else shaped it, as sent, by name; empty for a model that has seed, steps and size alone."""
        return self.record.parameters

    def command(self) -> str:
        """The cell that makes this image again: running it sends the same request."""
        return write_command(self.record)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        metadata: bool | None = None,
        strip_credentials: bool | None = None,
    ) -> list[Path]:
        """Write the picture to a file, or each into a folder as `{prompt}-{seed}-{digest}.{ext}`.

        The file carries what made it: the record, A1111's parameters, XMP with the IPTC fields. A file that somebody
        signed (content credentials, C2PA), a GIF and an AVIF are saved byte for byte as delivered, with the record in
        a file beside it: `fox.png` and `fox.json`.

        Args:
            path: ends in .png, .jpg, .jpeg or .webp for a file (another type than the delivered one
                is encoded anew), anything else is a folder, made where it is missing. A pattern such as
                `{prompt}-{seed}.png` has the fields of `flux_magic.results.file_names.FIELDS`.
            overwrite: replace what is there. Without it, the same pixels already there are a
                success and stay as they are, and anything else is an error.
            metadata: False leaves out what made it; None is as the generation was made.
            strip_credentials: True takes content credentials out, so that the record goes inside; None is as the
                generation was made.

        Returns the paths, one a file. Raises InvalidRequest for a suffix that there is no encoder
        for, a field that there is not, or one path for several images; StoreError where its bytes
        are in a store no more; NotAnImage where they cannot be encoded anew; SaveError where it
        cannot be written.
        """
        typed, path = path, expanded(path_text("path", path))
        is_new = not file_names.is_pattern(path) and not path.endswith(("/", os.sep)) and is_new_folder(Path(path))
        paths = self._paths(path)
        strip = self.strip_credentials if strip_credentials is None else strip_credentials
        with once():
            for place, (file, wanted) in enumerate(zip(self.files, paths, strict=True)):
                delivered = file.data
                data = codecs.as_suffix(delivered, wanted)
                record = self.record if (self.metadata if metadata is None else metadata) else None
                _save(embedding.unsigned(data) if strip else data, record, place, wanted, overwrite=overwrite)
                if lost := [] if data is delivered else embedding.lost(delivered, strip=strip):
                    note(f"saved as {wanted.suffix}, another encoding, the image loses {' and '.join(lost)}")
        if is_new:
            note(f"{typed} is a new folder, with {paths[0].name} in it; a file's name ends in .png, .jpg or .webp")
        return paths

    def _paths(self, path: str | os.PathLike[str]) -> list[Path]:
        """Return the path of each file; of two with one name by a pattern, the second ends in `-2`."""
        target = save_target(path, len(self.files), delivered={file.media_type for file in self.files})
        named = [(file.record, codecs.suffix_of(file.media_type)) for file in self.files]
        if file_names.is_pattern(path):
            paths: dict[Path, None] = {}
            for number, one in enumerate(named, 1):
                wanted = file_names.fill(os.fspath(path), self.record, *one)
                paths[wanted if wanted not in paths else wanted.with_stem(f"{wanted.stem}-{number}")] = None
            return list(paths)
        if is_folder(target):
            return [target / file_names.name_file(self.record, *one) for one in named]
        return [target] * len(named)

    def outputs(self) -> list[display.Output]:
        """What a notebook shows: an output for each picture, then one with the parameters."""
        shown = [self._output(place, file) for place, file in enumerate(self.files)]
        more = next((one for _, one in shown if one), {})
        return [*(output for output, _ in shown), display.parameters(self.record, more)]

    def _output(self, place: int, file: ImageFile) -> tuple[display.Output, dict[str, str]]:
        """A picture's output, and what its table should say of the file, by the row's name."""
        if self.inline == "link" and file.url:  # a replayed one has no address any more
            return display.link(self.record, place, file.url), {}
        data, inline = file.data, None if self.inline == "link" else self.inline
        output = display.image(
            self.record,
            place,
            data,
            inline,
            metadata=self.metadata,
            replayed=self.replayed,
            strip_credentials=self.strip_credentials,
        )
        as_delivered = file.media_type in output.data
        return output, display.remarks(data, as_delivered=as_delivered, strip_credentials=self.strip_credentials)

    def __repr__(self) -> str:
        return "\n".join(display.line(self.record, file.record) for file in self.files)

    def _ipython_display_(self) -> None:
        from IPython.display import display as show

        for output in self.outputs():
            show(output.data, metadata=output.metadata, raw=True)

    def __await__(self) -> NoReturn:
        refuse_await()


def refuse_await() -> NoReturn:
    """Raise InvalidArgument for `await Client().generate(…)`, in one line."""
    raise InvalidArgument("the image is there: Client and generate() block; leave out await, or use AsyncClient")


def replay(request: ImageRequest, stored: Stored, settings: Settings, note: str = "") -> Generation:
    """Return a job of a store as the answer to a request; the bytes of its images are left in the store."""
    return Generation(
        request,
        stored.record,
        tuple(ImageFile(file, path) for file, path in zip(stored.record.files, stored.files, strict=True)),
        settings.inline,
        metadata=settings.metadata,
        replayed=True,
        note=note,
        strip_credentials=settings.strip_credentials,
    )


ClientEvent = Waiting | Queued | Running | Log | Preview | Generation
"""What `AsyncClient.stream` yields; a Generation is the last."""


def is_folder(path: Path) -> bool:
    """Whether a path to save to means a folder: one is there, or it has no suffix."""
    return path.is_dir() or not path.suffix


def is_new_folder(path: Path) -> bool:
    """Return True if saving to a path makes a folder that is not there yet."""
    with _saving_to(path):
        return is_folder(path) and not path.exists()


def expanded(path: str | os.PathLike[str]) -> str:
    """Return a path to save to with `~` and `$HOME` replaced; raises SaveError if one is not known."""
    with _saving_to(path):
        return expand(path)


def save_target(
    path: str | os.PathLike[str],
    count: int,
    axes: Iterable[str] = (),
    *,
    sheet: bool = False,
    delivered: Collection[str] = (),
) -> Path:
    """The path, once it is known that `count` pictures can go there; raises InvalidRequest or SaveError.

    A pattern may name `axes` of a sweep. With `sheet` the error names the sheet that the pictures have. `delivered` has
    the pictures' media types, where they are known already.
    """
    text = expanded(path_text("path", path))
    if file_names.is_pattern(text):
        file_names.check(text, axes)
        with _saving_to(text):
            check_writable(Path(os.path.dirname(text.partition("{")[0])), folder=True)  # noqa: PTH120 - "a/" is "a"
        if suffix := file_names.suffix_of(text):
            codecs.checked_suffix(Path(f"image{suffix}"), next(iter(delivered), ""))
        return Path(text)
    with _saving_to(text):
        target = Path(text)
        check_writable(target, folder=text.endswith(("/", os.sep)) or is_folder(target))
        if text.endswith(("/", os.sep)):
            # A trailing slash means a folder, whatever its name looks like.
            target.mkdir(parents=True, exist_ok=True)
        if is_folder(target):
            return target
        codecs.checked_suffix(target, next(iter(delivered), ""))
    if count > 1:
        grid = f'; their sheet is saved by .grid().save("{target.name}")' if sheet else ""
        raise InvalidRequest(
            f"cannot save {count} images as the one file {target.name}: "
            f"give a folder, or a pattern such as {{prompt}}-{{seed}}{target.suffix}{grid}"
        )
    return target


@contextmanager
def _saving_to(path: object) -> Iterator[None]:
    """Whatever a file system has against a path becomes a SaveError."""
    try:
        yield
    except FluxError:
        raise
    except (OSError, RuntimeError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise SaveError(f"cannot write {path}: {reason}", "Give another path.") from exc


def _save(data: bytes, record: Record | None, place: int, path: Path, *, overwrite: bool) -> None:
    """Write an image with its record inside; beside it where nothing may be put into the bytes as delivered."""
    inside = data if record is None else embedding.with_record(data, record, place)[0]
    if record is None or inside is not data:
        _write(inside, path, overwrite=overwrite)
        return
    with _saving_to(path):
        beside = place_beside(path, record)
        _write(data, path, overwrite=overwrite)
        write_beside(beside, record, overwrite=overwrite)
    why = embedding.why_sealed(data) or "the image's file is damaged"
    note(f"{why}: it is saved as delivered, with its record in a .json file beside it")


def _write(encoded: bytes, path: Path, *, overwrite: bool) -> None:
    with _saving_to(path):
        if path.exists() and not overwrite:
            if other := _difference(encoded, path):
                raise SaveError(
                    f"{path} is there already, and {other}",
                    "Give another path, or let it be replaced: --overwrite, overwrite=True.",
                )
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encoded)


def _difference(encoded: bytes, path: Path) -> str:
    """What is there in place of the same picture; empty where it is the same: of one that is signed, all its bytes."""
    try:
        there = read_file(path)
        if there == encoded:
            return ""
        if codecs.describe(there).digest != codecs.describe(encoded).digest:
            return "is another picture"
    except (NotAnImage, OSError):
        return "is another picture"
    sealed = any(map(embedding.why_sealed, (there, encoded)))
    return "is another file of the same picture: with other content credentials, or frames" if sealed else ""
