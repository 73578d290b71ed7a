"""Content credentials (C2PA) of an image: the signer's name, and if the file is as it was signed.

They are read by `c2pa-python`, which the extra `sign` installs; nothing is fetched from anywhere for it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..images.bounded_json import parse_json
from ..images.formats import detect_media_type
from ..types import make_printable
from . import embedding

INSTALL: Final = 'pip install "flux-magic[sign]"'
_OFFLINE: Final = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_MOST_NAME: Final = 80
_NOT_VERIFIED: Final = "the name is not verified: no trust list here has its certificate"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Content credentials of a file, as far as they can be read here; as text, a sentence.

    Attributes:
        state: `intact`, `altered` (other bytes than were signed), `invalid`, or `unread`.
        signer: the name in the signer's certificate; empty if it was not read.
        trusted: whether a trust list has that certificate: without one, anyone may have written the name.
        detail: why they are invalid or unread.
    """

    state: str
    signer: str = ""
    trusted: bool = False
    detail: str = ""

    def __str__(self) -> str:
        if self.state == "unread":
            return f"carries content credentials (C2PA): {self.detail}"
        said = {"intact": "unchanged since", "altered": "but altered since"}.get(self.state, "but not validly")
        name = "its certificate is on a trust list" if self.trusted else _NOT_VERIFIED
        return "; ".join(filter(None, (f"signed by {self.signer}, {said}", self.detail, name)))

    def as_dict(self) -> dict[str, Any]:
        """Return the credentials as JSON-ready values."""
        return {"state": self.state, "signer": self.signer or None, "trusted": self.trusted, "detail": self.detail}


def read(data: bytes) -> Credentials | None:
    """Read the content credentials of a file, or None if it has none. What cannot be read is told, never raised."""
    return _read(data) if embedding.is_signed(data) else None


def _read(data: bytes) -> Credentials:
    try:
        import c2pa
    except ImportError:
        return Credentials("unread", detail=f"to see who signed it, run {INSTALL}")
    except (OSError, RuntimeError) as error:  # its library is not for this machine
        return Credentials("unread", detail=f"c2pa does not load: {_shorten(error)}")
    try:
        with (
            c2pa.Context.from_dict(_OFFLINE) as context,
            c2pa.Reader(detect_media_type(data), io.BytesIO(data), context=context) as reader,
        ):
            return _summarize(parse_json(reader.json()))
    except AttributeError:
        return Credentials("unread", detail=f"this c2pa-python is too old: {INSTALL} --upgrade")
    except (c2pa.C2paError, OSError, ValueError, KeyError, TypeError) as error:
        if str(error).startswith("Remote"):
            return Credentials("unread", detail="they are on a server, which is not asked")
        return Credentials("unread", detail=f"they cannot be read: {_shorten(error)}")


def _summarize(store: Mapping[str, Any]) -> Credentials:
    """Sum up a manifest store, as the library reports it."""
    signature = store["manifests"][store["active_manifest"]].get("signature_info") or {}
    names = [_shorten(signature[key]) for key in ("issuer", "common_name") if signature.get(key)]
    name = f"{names[0]} ({names[1]})" if len(dict.fromkeys(names)) > 1 else next(iter(names), "an unnamed certificate")
    state = store.get("validation_state")
    codes = [str(one.get("code")) for one in store.get("validation_status", ()) if one.get("code") != _UNTRUSTED]
    if state in {"Valid", "Trusted"}:
        return Credentials("intact", name, trusted=state == "Trusted")
    if any(code.endswith((".mismatch", ".missing")) for code in codes):
        return Credentials("altered", name)
    return Credentials("invalid", name, detail=_shorten(", ".join(codes[:3])))


_UNTRUSTED: Final = "signingCredential.untrusted"


def _shorten(words: object) -> str:
    text = make_printable(str(words)[: 4 * _MOST_NAME])
    return text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME - 3]}..."
