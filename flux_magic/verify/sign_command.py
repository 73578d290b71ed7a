"""The commands `flux-magic key`, which makes a key to sign with, and `flux-magic sign`, for files that are there."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import FluxError, InvalidRequest, NotAnImage, SaveError, format_count
from ..images import codecs, metadata
from ..images.formats import detect_media_type, name_format
from ..parameters.settings import resolve
from ..records import embedding, keys
from ..records.files import read_file, write_whole
from ..records.manifest import SIGNED
from ..results.notes import limit_notes, print_answer, print_note
from ..results.signer import open_signing
from ..sweeps import sheet_file
from .discover import NOTEBOOK, Subject, find_beside
from .evidence import gather
from .static import Unreadable, examine
from .verdict import Outcome

if TYPE_CHECKING:
    from ..records.manifest import Signing
    from .verdict import Examined

SHOW: Final = Path()
"""The value of `--trust` without a file, which shows the trust folder."""

_MEANING: Final = """\
It proves: somebody who has this key signed exactly these bytes, with the record in them. One changed pixel shows.
It does not prove who that is. You made the certificate yourself, and no authority has checked its name. For a
colleague to recognize it, hand over the file of `flux-magic key --export FILE`. There `flux-magic key --trust FILE`
puts it into the trust folder, here {trust}.
A file without a signature proves nothing: anyone can remove one, and most social networks do.
Keep the key to yourself. It is in no store, notebook or record."""


def main(options: argparse.Namespace) -> int:
    """Run the command and return its exit code: 1 if anything was not signed, 2 for wrong usage."""
    try:
        return _run_key(options) if options.command == "key" else _run_sign(options)
    except FluxError as error:
        return _fail(error)


def _fail(error: FluxError, label: str = "") -> int:
    print(f"flux-magic: {label and f'{label}: '}{error}", file=sys.stderr)
    return 1


def _run_key(options: argparse.Namespace) -> int:
    if sum(map(bool, (options.export, options.trust, options.new or options.name))) > 1:
        raise InvalidRequest("give one of --export and --trust, without --new and --name")
    if options.trust == SHOW:
        folder, names = keys.list_trusted()
        print_answer(f"the trust folder is {folder}: {', '.join(names) or 'empty'}")
        for line in keys.read_trusted()[1]:
            print_note(line)
        return 0
    if options.trust:
        name, target = keys.trust_certificate(options.trust)
        print_answer(f"you trust signatures of {name} from now on: the certificate is {target}")
        return 0
    if options.export:
        name = keys.export_certificate(options.export)
        if keys.is_named():
            print_note("it is the authority's certificate: all that this authority certifies are trusted by it")
        print_answer(
            f"the public certificate of {name} is in {options.export}: "
            f"a colleague trusts it by flux-magic key --trust {options.export.name}"
        )
        return 0
    folder = keys.get_folder()
    there = keys.is_named() or any(os.path.lexists(folder / "signing" / one) for one in ("key.pem", "certificates.pem"))
    made = options.new or not there
    identity = keys.make_key(options.name, new=options.new) if made else keys.load()
    for warning in filter(None, [identity.warning, *keys.read_trusted()[1]]):
        print_note(warning)
    if not made and options.name:
        raise InvalidRequest(f"there is {_name_key(identity)} already: --new makes another, and keeps this one")
    said = f"{'made' if made else 'there is'} {_name_key(identity)}, valid until {identity.until:%Y-%m-%d}"
    if keys.is_named():
        print_answer(f"{said}, which {keys.CERTIFICATE} and {keys.KEY} name")
    else:
        print_answer(f"{said}, in {folder / 'signing'}\n\n{_MEANING.format(trust=folder / 'trust')}")
    return 0


def _name_key(identity: keys.Identity) -> str:
    is_number = re.fullmatch(r"key [0-9a-f]{8}", identity.name)
    return f"a key without a name (its certificate says {identity.name})" if is_number else f"a key of {identity.name}"


def _run_sign(options: argparse.Namespace) -> int:
    folder = _make_folder(options.out) if options.out else None
    if options.out and folder is None and len(options.file) > 1:
        raise InvalidRequest(f"{format_count(len(options.file), 'file')} need a folder: {options.out} is none")
    signer = open_signing(options.author or resolve().sign_as)
    code = 0
    with limit_notes():
        for path in options.file:
            try:
                print_answer(f"{path}: {_sign_file(path, options, signer, folder)}")
            except FluxError as error:
                code = _fail(error, str(path))
    return code


def _make_folder(out: str) -> Path | None:
    """Return a folder to write into, which is made if it is missing; None if the path is that of one image's file."""
    path = Path(out)
    if not path.is_dir() and not out.endswith(("/", os.sep)) and path.suffix.lower() in codecs.SUFFIXES:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SaveError(f"cannot make the folder {out}: {exc.strerror or exc}") from exc
    return path


def _sign_file(path: Path, options: argparse.Namespace, signer: Signing, folder: Path | None) -> str:
    """Sign one file, and return what was done, in words."""
    if path.suffix.lower() == NOTEBOOK or path.is_dir():
        raise InvalidRequest("give images; a notebook's are signed when its cells run: %config FluxMagics.sign = True")
    target = folder / path.name if folder else Path(options.out or path)
    try:
        data = read_file(path)
        kind = detect_media_type(data)
        if target.suffix != path.suffix and kind in SIGNED and codecs.SUFFIXES.get(target.suffix.lower(), kind) != kind:
            raise InvalidRequest(
                f"{path.name} is a {name_format(data)} and stays one: {target.name} ends in another format's suffix"
            )
        signed = sign_bytes(path, data, signer, anything=options.any)
        if target.exists() and not target.samefile(path):
            raise SaveError(f"{target} already exists", "Give another path.")
        if signed is data and target == path:
            return f"is signed already, by {signer.identity.name}"
        write_whole(target, signed)
    except OSError as exc:
        if isinstance(exc, FluxError):
            raise
        raise SaveError(exc.strerror or str(exc)) from exc
    return f"signed by {signer.identity.name}{'' if target == path else f', in {target}'}"


def sign_bytes(path: Path, data: bytes, signer: Signing, *, anything: bool = False) -> bytes:
    """Return an image's file signed; the same bytes if this signer has signed it already, and it is intact.

    Its record goes along if the image is still what it says. `anything` signs others too, and says nothing of their
    origin. Raises InvalidRequest for those without it, NotAnImage, and SaveError.
    """
    codecs.check_readable(str(path), data)
    if detect_media_type(data) not in SIGNED:
        raise InvalidRequest("not signed: only PNG, JPEG and WebP are")
    try:
        seen = examine(Subject(str(path), "file", path, beside=find_beside(path)))
    except Unreadable as error:
        raise NotAnImage(str(error)) from None
    there = seen.credentials
    if there is not None and there.state == "intact" and there.trusted and signer.identity.name in there.signer:
        return data
    trouble = _find_trouble(path, data, seen)
    if trouble and not anything:
        raise InvalidRequest(f"not signed: {trouble}", "--any signs it without a word of how it was made.")
    signed: bytes | None
    if trouble:
        signed = signer.sign_as_found(data)
    elif seen.sheet:
        signed = _sign_sheet(data, signer)
    else:
        assert seen.record is not None  # noqa: S101 - there is no trouble
        copied = signer.sign_copy(data, seen.record, seen.place, delivered=data)
        signed = copied and copied[0]
    if signed is None:
        raise InvalidRequest("not signed: its own credentials are elsewhere, or cannot be read, and would be lost")
    return signed


def _find_trouble(path: Path, data: bytes, seen: Examined) -> str:
    """Return why signing an image with its record would mislead; "" if it would not."""
    there = seen.credentials
    if there is not None and there.state in {"altered", "invalid", "damaged"}:
        became = {"altered": "altered since", "invalid": "that signature is invalid", "damaged": "that is damaged"}
        return f"it was signed before, and {became[there.state]}"
    if seen.outcome.is_sound:
        return ""
    if seen.outcome is Outcome.UNTOLD and seen.record is not None:  # without a seed
        found = gather(Subject(str(path), "file", path))
        return "" if found and embedding.is_untouched(data, found.carried) else seen.why
    return seen.why


def _sign_sheet(data: bytes, signer: Signing) -> bytes:
    told = json.loads(metadata.read(data).record)
    sheet = sheet_file.read(data)
    models = [one["record"]["run"]["model"] for one in (sheet.images if sheet else ())]
    from ..types import STAND_IN

    return signer.sign_sheet(data, told, drawn=all(model == STAND_IN for model in models))
