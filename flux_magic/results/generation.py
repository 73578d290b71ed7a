"""The result of one job: its record and files, and the ways to show and save it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

from ..errors import FluxError, InvalidArgument, InvalidRequest, NotAnImage, SaveError
from ..images import codecs
from ..parameters.calls import check_class, check_path
from ..parameters.paths import check_writable, expand
from ..parameters.settings import Settings, resolve
from ..records import embedding, in_hand, signing
from ..records.files import read_file, write_whole
from ..records.sidecar import choose_place_beside, write_beside
from ..records.store import Stored, read_image
from ..types import FileRecord, ImageRequest, Log, Preview, Queued, Record, Running, Waiting
from . import file_names
from . import output as display
from .notes import limit_notes, print_note
from .signer import NOT_SIGNED, open_signing

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

    from ..client.options import EditOptions
    from ..records.manifest import Signing
    from ..records.marks import Marks
    from .generations import Generations
    from .history import History


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image of a job.

    Attributes:
        record: its media type, size and digest.
        source: the bytes as delivered, or the file in the store that has them.
        url: its address at the Space, valid for some hours; empty if it came from a store.
    """

    record: FileRecord
    source: bytes | Path = field(repr=False)
    url: str = ""

    @property
    def data(self) -> bytes:
        """The bytes as delivered. Raises StoreError if they are neither in the store nor in memory any more."""
        if isinstance(self.source, bytes):
            return self.source
        return in_hand.find(self.source, self.record.sha256) or read_image(self.source, self.record.sha256)

    @property
    def path(self) -> Path | None:
        """The file in the store, or None if nothing is kept."""
        return self.source if isinstance(self.source, Path) else None

    def move_to(self, path: Path) -> ImageFile:
        """Return the same image, with its bytes only in a file."""
        return replace(self, source=path)

    @property
    def media_type(self) -> str:
        """Its media type as delivered: `image/png`, `image/jpeg`, `image/webp`, `image/gif` or `image/avif`."""
        return self.record.media_type

    @property
    def digest(self) -> str:
        """The sha256 of the pixels, 64 hex digits."""
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
        """The image (Pillow), decoded again at each access. Raises StoreError as `data` does, and NotAnImage."""
        return codecs.decode(self.data)


@check_class
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Generation:
    """One job with one seed: its request, its record, and the delivered files.

    In a notebook it shows the image, then the parameters and the cell that makes it again.

    Attributes:
        request: what was asked for.
        record: all that is needed to make it again.
        files: one or more, in the Space's order.
        inline: how a notebook embeds it: `png`, `jpeg`, `link`, or None for what keeps it best.
        metadata: whether embedded and saved files carry the record.
        strip_credentials: whether content credentials (C2PA) are removed from embedded and saved files.
        sign: whether embedded and saved files are signed with the user's own key (content credentials, C2PA).
        sign_as: the creator's name in these signatures, or None.
        caption: words that a notebook shows under the image, or None.
        alt: alternative text, never empty: the user's, else the prompt.
        only_image: whether a notebook shows it without the parameters and the cell that makes it again.
        replayed: whether it came from the store, and no Space was asked.
        note: a remark for the user, such as why it is not in the store; usually empty.

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
    caption: str | None = None
    alt: str = ""
    only_image: bool = False
    sign: bool = False
    sign_as: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "alt", self.alt if self.alt.strip() else self.record.prompt)

    @property
    def data(self) -> bytes:
        """The first file's bytes as delivered. Raises StoreError if they are no longer in the store."""
        return self.files[0].data

    @property
    def digest(self) -> str:
        """The sha256 of the first file's pixels, 64 hex digits."""
        return self.files[0].digest

    @property
    def width(self) -> int:
        """Pixels of the first file."""
        return self.files[0].width

    @property
    def height(self) -> int:
        """Pixels of the first file."""
        return self.files[0].height

    @property
    def url(self) -> str:
        """The first file's address, valid for some hours."""
        return self.files[0].url

    @property
    def path(self) -> Path | None:
        """The first file in the store, or None if nothing is kept."""
        return self.files[0].path

    @property
    def image(self) -> Image:
        """The first file's image (Pillow), decoded at each call: some 20 ms a megapixel, and memory of its own.

        Keep it in a name to use it twice; drawing into it changes no other one. Raises StoreError as `data` does, and
        NotAnImage.
        """
        return self.files[0].image

    @property
    def images(self) -> list[Image]:
        """The image of each file, as `image`."""
        return [file.image for file in self.files]

    @property
    def prompt(self) -> str:
        """The prompt that was sent."""
        return self.record.prompt

    @property
    def seed(self) -> int | None:
        """The seed that was used; None if the Space chose it and did not report it."""
        return self.record.seed

    @property
    def steps(self) -> int | None:
        """Inference steps; None if they were left to the model, and it did not tell."""
        return self.record.steps

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The other parameters as sent, by name; empty for a model that has only seed, steps and size."""
        return self.record.parameters

    @overload
    def edit(  # type: ignore[overload-overlap]  # mypy counts 1 as an int
        self, prompt: str, *, count: Literal[1] = 1, **options: Unpack[EditOptions]
    ) -> Generation: ...
    @overload
    def edit(self, prompt: str, *, count: int, **options: Unpack[EditOptions]) -> Generations: ...
    def edit(self, prompt: str, *, count: int = 1, **options: Any) -> Generation | Generations:
        """Make an image of this one, by a model that edits: `generate(prompt, image=this, …)` of the shared client.

        Args:
            prompt: what is to change.
            count: above 1, as many images with successive seeds.
            options: those of `flux_magic.generate`. Without `model` or `space`, what was made here is edited by the
                Space that made it, if a call named that one; else the configured model is asked.

        Example::

            >>> fox = flux_magic.generate("a red fox", seed=42, quiet=True)
            >>> winter = fox.edit("make it winter", seed=1, quiet=True)
            >>> winter.record.images[0].digest == fox.digest
            True

        Raises InvalidArgument for another `image`, StoreError if this one is no longer in the store, and the errors of
        `generate`.
        """
        from ..client.client import shared

        if "image" in options:
            raise InvalidArgument("edit() takes this image: for several give generate(…, image=[…])")
        if self.record.requested_space and not self.replayed and not {"model", "space"} & options.keys():
            options["space"] = self._find_space(self.record.requested_space)
        return shared.generate(prompt, count=count, image=self, **options)

    def _find_space(self, own: str) -> str | None:
        """Return the Space of this image, for an edit; None for the configured one, which may be a stand-in too."""
        return None if self.record.stand_in and resolve().space else own

    def lineage(self) -> History:
        """Return the images from the first to this one, each made of the one before, as far as the store has them.

        Of several images that went in, the first is followed.

        Example::

            >>> fox = flux_magic.generate("a red fox", seed=42, quiet=True)
            >>> night = fox.edit("make it winter", seed=1, quiet=True).edit("at night", seed=2, quiet=True)
            >>> [one.prompt for one in night.lineage()]
            ['a red fox', 'make it winter', 'at night']
        """
        from .history import trace

        return trace(self)

    @property
    def marks(self) -> Marks:
        """The star and the tags that it has in the store. Raises InvalidRequest if it is in no store."""
        from .marking import open_keeper

        return open_keeper(self).marks(self)

    def mark(self, *tags: str, starred: bool | None = None) -> Marks:
        """Give the image tags, a star, or both, and return all its marks. They are a file beside the record.

        Args:
            tags: words of 1 to 32 letters, digits, `-` and `_`, in any case, which are added to those that it has.
            starred: True gives it a star, False takes it away; None leaves that as it is.

        Example::

            >>> fox = flux_magic.generate("a red fox", seed=42, quiet=True)
            >>> fox.mark("best", "winter", starred=True)
            Marks(starred=True, tags=('best', 'winter'))
            >>> flux_magic.history(tags="best", starred=True)[0].digest == fox.digest
            True
            >>> fox.unmark()
            Marks(starred=False, tags=())

        Raises InvalidRequest for what is no tag, for more than 50, and if the image is in no store. Raises StoreError
        if the marks cannot be written.
        """
        from . import marking

        return marking.mark(marking.open_keeper(self), self, tags, starred=starred)

    def unmark(self, *tags: str, starred: bool = False) -> Marks:
        """Take tags off the image, with `starred` the star, and without either all its marks; return what is left.

        Raises as `mark`.
        """
        from . import marking

        return marking.unmark(marking.open_keeper(self), self, tags, starred=starred)

    def command(self) -> str:
        """Return the cell that makes this image again: running it sends the same request."""
        from ..records.command import write_command

        return write_command(self.record)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        metadata: bool | None = None,
        strip_credentials: bool | None = None,
        sign: bool | None = None,
    ) -> list[Path]:
        """Write the image to a file, or each image into a folder as `{prompt}-{seed}-{digest}.{ext}`.

        The file carries what made it: the record, A1111's parameters, and XMP with the IPTC fields. A file with content
        credentials (C2PA), a GIF and an AVIF are saved byte for byte as delivered. Their record is in a file beside
        them: `fox.png` and `fox.json`.

        Args:
            path: a file that ends in .png, .jpg, .jpeg or .webp (re-encoded if the delivered type differs). Anything
                else is a folder, which is made if it is missing. A pattern such as `{prompt}-{seed}.png` has the fields
                of `flux_magic.results.file_names.FIELDS`.
            overwrite: replace an existing file. Without it, a file with the same pixels stays as it is, and any other
                file is an error.
            metadata: False leaves the record out; None keeps the generation's own setting.
            strip_credentials: True removes content credentials, so that the record can be embedded; None keeps the
                generation's own setting.
            sign: True signs the file with your own key (`flux-magic key`), with the record in the signature. Content
                credentials that are there become a part of the new ones. None keeps the generation's own setting.

        Returns the paths, one for each file. Raises InvalidRequest for a suffix without an encoder, an unknown field,
        or one path for several images. Raises StoreError if the bytes are no longer in the store, NotAnImage if they
        cannot be re-encoded, and SaveError if a file cannot be written. Signing raises InvalidRequest without a key,
        and SaveError if it fails.
        """
        typed, path = path, expand_path(check_path("path", path))
        is_new = not file_names.is_pattern(path) and not path.endswith(("/", os.sep)) and is_new_folder(Path(path))
        paths = self._choose_paths(path)
        strip = self.strip_credentials if strip_credentials is None else strip_credentials
        metadata = self.metadata if metadata is None else metadata
        signer = open_signing(self.sign_as, self.request.images) if (self.sign if sign is None else sign) else None
        with limit_notes():
            for place, (file, wanted) in enumerate(zip(self.files, paths, strict=True)):
                delivered = file.data
                data = codecs.convert_to_suffix(delivered, wanted)
                kept = embedding.remove_signature(data) if strip else data
                signed = signer and self._sign(signer, kept, place, None if strip else delivered, metadata=metadata)
                if signed:
                    _write(signed, wanted, overwrite=overwrite)
                else:
                    _save(kept, self.record if metadata else None, place, wanted, overwrite=overwrite)
                lost = [] if data is delivered else embedding.list_lost(delivered, strip=strip or bool(signed))
                if lost:
                    print_note(f"saved as {wanted.suffix}, another encoding, the image loses {' and '.join(lost)}")
        if is_new:
            print_note(
                f"{typed} is a new folder, with {paths[0].name} in it; a file's name ends in .png, .jpg or .webp"
            )
        return paths

    def _sign(
        self, signer: Signing, data: bytes, place: int, delivered: bytes | None, *, metadata: bool
    ) -> bytes | None:
        """Return a copy of a file signed; None, with a note, if it is not signed."""
        signed = signer.sign_copy(data, self.record, place, delivered=delivered, with_record=metadata)
        if signed is None:
            print_note(NOT_SIGNED)
        return signed and signed[0]

    def _choose_paths(self, path: str | os.PathLike[str]) -> list[Path]:
        """Return the path of each file; if a pattern gives two files one name, the second ends in `-2`."""
        own, delivered = [*self.record.parameters], {file.media_type for file in self.files}
        target = check_target(path, len(self.files), own, delivered=delivered)
        named = [(file.record, codecs.get_suffix(file.media_type)) for file in self.files]
        if file_names.is_pattern(path):
            paths: dict[Path, None] = {}
            for number, one in enumerate(named, 1):
                wanted = file_names.fill(os.fspath(path), self.record, *one)
                paths[wanted if wanted not in paths else wanted.with_stem(f"{wanted.stem}-{number}")] = None
            return list(paths)
        if is_folder(target):
            return [target / file_names.name_file(self.record, *one) for one in named]
        return [target] * len(named)

    def build_outputs(self) -> list[display.Output]:
        """Return what a notebook shows: an output for each image, then one with the caption and the parameters.

        With `only_image` the last has the caption alone, if there is one.
        """
        shown = [self._build_output(place, file) for place, file in enumerate(self.files)]
        images = [output for output, _ in shown]
        if self.only_image:
            return [*images, *([display.build_caption(self.caption)] if self.caption else [])]
        more = next((one for _, one in shown if one), {})
        return [*images, display.build_parameters(self.record, more, self.request.images, caption=self.caption)]

    def _build_output(self, place: int, file: ImageFile) -> tuple[display.Output, dict[str, str]]:
        """Return an image's output, and more rows for its table by the row's name."""
        if self.inline == "link" and file.url:  # a replayed one no longer has an address
            return display.build_link(self.record, place, file.url, alt=self.alt), {}
        data, inline = file.data, None if self.inline == "link" else self.inline
        signer = self._open_signing()
        output = display.build_image(
            self.record,
            place,
            data,
            inline,
            alt=self.alt,
            metadata=self.metadata,
            replayed=self.replayed,
            strip_credentials=self.strip_credentials,
            signer=signer,
        )
        as_delivered = file.media_type in output.data
        remarks = display.list_remarks(
            data, as_delivered=as_delivered, strip_credentials=self.strip_credentials, signer=signer
        )
        return output, remarks

    def _open_signing(self) -> Signing | None:
        """Return the signer of what is shown; None, with a note, if nothing can be signed any more."""
        try:
            return open_signing(self.sign_as, self.request.images) if self.sign else None
        except FluxError as error:
            print_note(f"the image shown is not signed: {error.message}")
            return None

    def __repr__(self) -> str:
        return "\n".join(display.format_line(self.record, file.record) for file in self.files)

    def _ipython_display_(self) -> None:
        from IPython.display import display as show

        for output in self.build_outputs():
            show(output.data, metadata=output.metadata, raw=True)

    def __await__(self) -> NoReturn:
        refuse_await()


def refuse_await() -> NoReturn:
    """Raise InvalidArgument for `await Client().generate(…)`, in one line."""
    raise InvalidArgument("the image is there: Client and generate() block; leave out await, or use AsyncClient")


def build_generation(
    request: ImageRequest,
    record: Record,
    files: tuple[ImageFile, ...],
    settings: Settings,
    *,
    note: str = "",
    replayed: bool = False,
) -> Generation:
    """Return the generation of a request, to be shown and saved as the settings say."""
    return Generation(
        request,
        record,
        files,
        settings.inline,
        metadata=settings.metadata,
        replayed=replayed,
        note=note,
        strip_credentials=settings.strip_credentials,
        sign=settings.sign,
        sign_as=settings.sign_as,
        caption=settings.caption or None,
        alt=settings.alt or "",
        only_image=settings.only_image,
    )


def replay(request: ImageRequest, stored: Stored, settings: Settings, note: str = "") -> Generation:
    """Return a job of a store as the answer to a request; the bytes of its images are left in the store."""
    files = tuple(ImageFile(file, path) for file, path in zip(stored.record.files, stored.files, strict=True))
    return build_generation(request, stored.record, files, settings, note=note, replayed=True)


ClientEvent = Waiting | Queued | Running | Log | Preview | Generation
"""Events that `AsyncClient.stream` yields; a Generation is the last."""


def is_folder(path: Path) -> bool:
    """Return True if a path to save to means a folder: one exists there, or the path has no suffix."""
    return path.is_dir() or not path.suffix


def is_new_folder(path: Path) -> bool:
    """Return True if saving to a path makes a folder that is not there yet."""
    with _translate_errors(path):
        return is_folder(path) and not path.exists()


def expand_path(path: str | os.PathLike[str]) -> str:
    """Return a path to save to with `~` and `$HOME` replaced; raises SaveError if one is not known."""
    with _translate_errors(path):
        return expand(path)


def check_target(
    path: str | os.PathLike[str],
    count: int,
    axes: Iterable[str] = (),
    *,
    sheet: bool = False,
    delivered: Collection[str] = (),
) -> Path:
    """Return the path after checking that `count` images can be saved there. Raises InvalidRequest or SaveError.

    A pattern may name `axes`: what a sweep varies, and a model's own parameters. With `sheet` the error mentions the
    images' sheet. `delivered` has the images' media types if they are known already.
    """
    text = expand_path(check_path("path", path))
    if file_names.is_pattern(text):
        file_names.check(text, axes)
        with _translate_errors(text):
            check_writable(Path(os.path.dirname(text.partition("{")[0])), folder=True)  # noqa: PTH120 - "a/" is "a"
        if suffix := file_names.get_suffix(text):
            codecs.check_suffix(Path(f"image{suffix}"), next(iter(delivered), ""))
        return Path(text)
    with _translate_errors(text):
        target = Path(text)
        check_writable(target, folder=text.endswith(("/", os.sep)) or is_folder(target))
        if text.endswith(("/", os.sep)):
            # A trailing slash means a folder, whatever its name looks like.
            target.mkdir(parents=True, exist_ok=True)
        if is_folder(target):
            return target
        codecs.check_suffix(target, next(iter(delivered), ""))
    if count > 1:
        grid = f'; their sheet is saved by .grid().save("{target.name}")' if sheet else ""
        raise InvalidRequest(
            f"cannot save {count} images as the one file {target.name}: "
            f"give a folder, or a pattern such as {{prompt}}-{{seed}}{target.suffix}{grid}"
        )
    return target


@contextmanager
def _translate_errors(path: object) -> Iterator[None]:
    """Raise SaveError in place of any error that a file system has with a path."""
    try:
        yield
    except FluxError:
        raise
    except (OSError, RuntimeError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise SaveError(f"cannot write {path}: {reason}", "Give another path.") from exc


def _save(data: bytes, record: Record | None, place: int, path: Path, *, overwrite: bool) -> None:
    """Write an image with its record inside, or beside it if the delivered bytes may not be changed."""
    inside = data if record is None else embedding.embed_record(data, record, place)[0]
    if record is None or inside is not data:
        _write(inside, path, overwrite=overwrite)
        return
    with _translate_errors(path):
        beside = choose_place_beside(path, record)
        _write(data, path, overwrite=overwrite)
        write_beside(beside, record, overwrite=overwrite)
    why = embedding.explain_sealed(data) or "the image's file is damaged"
    print_note(f"{why}: it is saved as delivered, with its record in a .json file beside it")


def _write(encoded: bytes, path: Path, *, overwrite: bool) -> None:
    with _translate_errors(path):
        if path.exists() and not overwrite:
            if other := _describe_difference(encoded, path):
                raise SaveError(
                    f"{path} already exists, and {other}",
                    "Give another path, or let it be replaced: --overwrite, overwrite=True.",
                )
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encoded)


def _describe_difference(encoded: bytes, path: Path) -> str:
    """Describe how an existing file differs from the image; empty if it does not. A signed file must match bytewise."""
    try:
        there = read_file(path)
        if there == encoded:
            return ""
        if codecs.describe(there).digest != codecs.describe(encoded).digest:
            return "is a different image"
    except (NotAnImage, OSError):
        return "is a different image"
    if all(map(embedding.is_signed, (there, encoded))) and signing.is_alike(there, encoded):
        return ""
    sealed = any(map(embedding.explain_sealed, (there, encoded)))
    return "is another file of the same image, with other content credentials or frames" if sealed else ""
