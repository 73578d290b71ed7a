"""The signer of what is shown and saved: the user's key, the creator's name, and the images that went in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..parameters.settings import Settings, resolve
from ..records import keys
from ..records.store import open_store
from ..types import InputImage
from .notes import print_note

if TYPE_CHECKING:
    from ..records.manifest import Signing

NOT_SIGNED: Final = "it is not signed: its own credentials cannot be kept, or its format is GIF or AVIF"


def open_signing(author: str | None = None, images: Iterable[InputImage] = ()) -> Signing:
    """Return the signer of one image, whose inputs are in the store or among the `images`.

    Raises InvalidRequest or MissingExtra, in one line, if nothing can be signed here.
    """
    identity = keys.load()
    if identity.warning not in _warned:
        _warned.add(identity.warning)
        print_note(identity.warning)
    note_trust()
    from ..records.manifest import Signing

    given = {one.record.digest: one.data for one in images}
    return Signing(identity, author or "", open_store(resolve()), given)


def note_trust() -> None:
    """Print a note for each file in the trust folder that is of no use, once."""
    for line in keys.read_trusted()[1]:
        if line not in _warned:
            _warned.add(line)
            print_note(line)


_warned: Final[set[str]] = {""}


def check_signing(settings: Settings) -> None:
    """Raise as `open_signing` does if these settings ask for signatures: nothing is sent in vain."""
    if settings.sign:
        keys.load()
