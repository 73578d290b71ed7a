"""Content credentials (C2PA) of an image: the signer's name, and if the file is as it was signed.

They are read by `c2pa-python`, which the extra `sign` installs; nothing is fetched from anywhere for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import NotAnImage, RecordError
from ..images import codecs
from ..images.bounded_json import parse_json
from ..images.formats import detect_media_type
from ..types import make_printable
from . import embedding, keys
from .record import Carried, parse_carried

INSTALL: Final = keys.INSTALL
RECORD, SHEET, TIME = "org.flux-magic.record", "org.flux-magic.sheet", "org.flux-magic.signed"
"""Labels of our assertions, which begin with a reversed domain by C2PA's rule (its specification, 6.2.1).

They are the record, a sheet's records, and when the file was signed by the signer's clock.
"""

ALTERED, DAMAGED, INVALID = "altered after signing", "signature damaged", "signature invalid"
"""The verdicts on a signature that does not hold."""

EXPIRED: Final = "certificate expired"
"""The verdict on one whose certificate has run out: the bytes are those signed, and it may have signed too late."""

BYTES: Final = "its bytes"
"""The altered part if the credentials are whole, and have no record of ours to say more."""

_OFFLINE: Final = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_MOST_NAME: Final = 80
_MOST_INGREDIENTS: Final = 50
_NOT_VERIFIED: Final = "the name is not verified: no trust list here has its certificate"
_UNTRUSTED: Final = "signingCredential.untrusted"
_RAN_OUT: Final = {"signingCredential.expired", "claimSignature.outsideValidity"}
_CREATOR: Final = "cawg.metadata"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that went into a signed one, as its credentials say; as text, a phrase.

    Attributes:
        title: the name that the signer gave it.
        relation: `parentOf` (the file was made from it), `inputTo` (it was an input) or `componentOf` (it is a part).
        state: what its own credentials were when it went in: `intact`, `altered`, `expired`, `invalid` or
            `unsigned`.
        signer: the name in the certificate of those; empty without any.
    """

    title: str
    relation: str
    state: str
    signer: str = ""

    def __str__(self) -> str:
        if self.state == "unsigned":
            return f"{self.title}, not signed"
        words = {
            "intact": "intact when it went in",
            "altered": "altered before it went in",
            "expired": "unchanged when it went in, by a certificate that had run out",
        }
        said = words.get(self.state, "not validly, when it went in")
        return f"{self.title}, signed by {self.signer}, {said}"

    def as_dict(self) -> dict[str, Any]:
        """Return the ingredient as JSON-ready values."""
        told = {"title": self.title, "relation": self.relation, "state": self.state}
        return {**told, "signer": self.signer or None}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Content credentials of a file, as far as they can be read here; as text, a sentence.

    Attributes:
        state: `intact`, `altered` (other bytes than were signed), `expired` (the bytes are those signed, and no
            time-stamp shows that its certificate had not run out), `invalid`, `damaged` (they cannot be read), or
            `unread` (they are not read here).
        signer: the name in the signer's certificate; empty if it was not read.
        trusted: whether a trust list has that certificate: without one, anyone may have written the name.
        detail: why they are invalid or unread.
        parts: what was altered, in words: its pixels, the record in its file, the record that was signed …
        signed: when it was signed, UTC, by the signer's clock; empty if the signer did not say.
        stamped: if a time-stamp server confirms that time: `trusted`, or `unverified` if anyone may run it; else "".
        tool: the program that made the credentials; empty if it is not named.
        creator: the creator's name, as the signer gives it; empty if the signer does not.
        ingredients: what went into the file.
        carried: our own record, if it was signed along with the image and is intact.
    """

    state: str
    signer: str = ""
    trusted: bool = False
    detail: str = ""
    parts: tuple[str, ...] = ()
    signed: str = ""
    stamped: str = ""
    tool: str = ""
    creator: str = ""
    ingredients: tuple[Ingredient, ...] = ()
    carried: Carried | None = field(default=None, repr=False)

    @property
    def is_read(self) -> bool:
        """True if the signer is known, and what became of the file."""
        return self.state not in {"unread", "damaged"}

    @property
    def verdict(self) -> str:
        """The verdict in two or three words, for a table: `signed`, `altered after signing`, or why it says nothing."""
        words = {"intact": "signed", "altered": ALTERED, "expired": EXPIRED, "invalid": INVALID, "damaged": DAMAGED}
        return words.get(self.state, "signature not read")

    def __str__(self) -> str:
        if not self.is_read:
            return f"carries content credentials (C2PA): {self.detail}"
        words = {"intact": "unchanged since", "expired": "unchanged since", "altered": "but altered since"}
        said = words.get(self.state, "but not validly")
        if self.parts:
            said += f" ({', '.join(self.parts)})"
        by = {"trusted": " (time-stamped)", "unverified": " (time-stamped by a server that is not verified)"}
        when = f" on {self.signed}{by.get(self.stamped, '')}" if self.signed else ""
        name = "you trust its certificate" if self.trusted else _NOT_VERIFIED
        if self.state == "expired":  # a list of trust says nothing of it
            name = ""
        creator = f"creator: {self.creator}" if self.creator else ""
        return "; ".join(filter(None, (f"signed by {self.signer}{when}, {said}", creator, self.detail, name)))

    def as_dict(self) -> dict[str, Any]:
        """Return the credentials as JSON-ready values."""
        return {
            "state": self.state,
            "signer": self.signer or None,
            "trusted": self.trusted,
            "detail": self.detail,
            "parts": list(self.parts),
            "signed": self.signed or None,
            "stamped": self.stamped or None,
            "tool": self.tool or None,
            "creator": self.creator or None,
            "ingredients": [one.as_dict() for one in self.ingredients],
        }


def read(data: bytes) -> Credentials | None:
    """Read the content credentials of a file, or None if it has none. What cannot be read is told, never raised."""
    return _read(data) if embedding.is_signed(data) else None


def is_alike(one: bytes, other: bytes) -> bool:
    """Return True if two files differ only in the time of their signatures: both intact, and by one signer."""
    mine, theirs = read(one), read(other)
    if mine is None or theirs is None or not mine.state == theirs.state == "intact":
        return False
    with suppress(NotAnImage):
        bare = [embedding.compute_bare_sha256(embedding.remove_signature(data)) for data in (one, other)]
        return (mine.signer, mine.ingredients) == (theirs.signer, theirs.ingredients) and bare[0] == bare[1]
    return False


def _read(data: bytes) -> Credentials:
    try:
        import c2pa
    except ImportError:
        return Credentials("unread", detail=f"to see who signed it, run {INSTALL}")
    except (OSError, RuntimeError) as error:  # its library is not for this machine
        return Credentials("unread", detail=f"c2pa does not load: {_shorten(error)}")
    roots, _ = keys.read_trusted()
    trust = {"trust": {"user_anchors": roots.decode()}} if roots else {}
    try:
        with (
            c2pa.Context.from_dict(_OFFLINE | trust) as context,
            c2pa.Reader(detect_media_type(data), io.BytesIO(data), context=context) as reader,
        ):
            return _summarize(parse_json(reader.json()), data)
    except AttributeError:
        return Credentials("unread", detail=f"this c2pa-python is too old: {INSTALL} --upgrade")
    except (c2pa.C2paError, OSError, ValueError, KeyError, TypeError) as error:
        if str(error).startswith("Remote"):
            return Credentials("unread", detail="they are on a server, which is not asked")
        ours = "flux_magic" if RECORD.encode() in data else ""
        return Credentials("damaged", detail=f"they cannot be read: {_shorten(error)}", tool=ours)


def _summarize(store: Mapping[str, Any], data: bytes) -> Credentials:
    """Sum up a manifest store, as the library reports it."""
    label = store["active_manifest"]
    manifest = store["manifests"][label]
    failures = [one for one in store.get("validation_status", ()) if one.get("code") != _UNTRUSTED]
    told = _list_intact(manifest, failures)
    carried, signed = _parse_record(told.get(RECORD)), str((told.get(TIME) or {}).get("when") or "")
    time = str((manifest.get("signature_info") or {}).get("time") or "")
    generator: Mapping[str, Any] = next(iter(manifest.get("claim_generator_info") or ()), {})
    known: dict[str, Any] = {
        "signer": _name_signer(manifest),
        "signed": _shorten(_format_time(time or signed)),
        "tool": _shorten(f"{generator.get('name', '')} {generator.get('version') or ''}".strip()),
        "ingredients": tuple(_list_ingredients(store, manifest)),
        "carried": carried,
        "creator": _name_creator(told.get(_CREATOR)),
    }
    state = store.get("validation_state")
    success = ((store.get("validation_results") or {}).get("activeManifest") or {}).get("success") or ()
    met = {one.get("code") for one in success}
    known["trusted"] = "signingCredential.trusted" in met
    known["stamped"] = "" if not time else "trusted" if "timeStamp.trusted" in met else "unverified"
    if state in {"Valid", "Trusted"}:
        return Credentials("intact", **known)
    codes = [str(one.get("code")) for one in failures]
    if codes and set(codes) <= _RAN_OUT:
        return Credentials("expired", detail=_describe_expiry(manifest, data), **known)
    if any(code.endswith((".mismatch", ".missing")) for code in codes):
        parts = dict.fromkeys(_name_part(one, label, data, carried) for one in failures)
        return Credentials("altered", parts=tuple(filter(None, parts)), **known)
    return Credentials("invalid", detail=_explain(codes), **known)


def _describe_expiry(manifest: Mapping[str, Any], data: bytes) -> str:
    """Return when a certificate ran out, and what that means."""
    serial = str((manifest.get("signature_info") or {}).get("cert_serial_number") or "")
    until = keys.find_expiry(data, int(serial)) if serial.isdecimal() else None
    when = f" on {until:%Y-%m-%d}" if until else ""
    return f"its certificate ran out{when}, and no trusted time-stamp shows that it was signed before that"


def _name_creator(told: Mapping[str, Any] | None) -> str:
    names = (told or {}).get("dc:creator") or ()
    return _shorten(", ".join(map(str, [names] if isinstance(names, str) else names)))


def _name_signer(manifest: Mapping[str, Any]) -> str:
    signature = manifest.get("signature_info") or {}
    names = [_shorten(signature[key]) for key in ("issuer", "common_name") if signature.get(key)]
    if names[:1] == [keys.MADE_BY]:  # the person comes first, and that no authority knows it behind
        names.reverse()
    return f"{names[0]} ({names[1]})" if len(dict.fromkeys(names)) > 1 else next(iter(names), "an unnamed certificate")


def _list_intact(manifest: Mapping[str, Any], failures: list[Any]) -> dict[str, Mapping[str, Any]]:
    """Return the assertions by label, as far as they are what was signed."""
    broken = [f"{one.get('code')} {one.get('url')}" for one in failures]
    if any(one.startswith(("claim", "general")) for one in broken):
        return {}
    there = {str(one.get("label")): one.get("data") for one in manifest.get("assertions") or ()}
    return {
        label: data
        for label, data in there.items()
        if isinstance(data, Mapping) and not any(one.endswith(f"/{label}") for one in broken)
    }


def _parse_record(told: Mapping[str, Any] | None) -> Carried | None:
    with suppress(RecordError, ValueError):
        return None if told is None else parse_carried(told)
    return None


def _list_ingredients(store: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Ingredient]:
    for one in (manifest.get("ingredients") or ())[:_MOST_INGREDIENTS]:
        title, relation = _shorten(one.get("title") or "an unnamed file"), _shorten(one.get("relationship") or "")
        inner = store["manifests"].get(one.get("active_manifest"))
        if inner is None:
            yield Ingredient(title, relation, "invalid" if one.get("active_manifest") else "unsigned")
            continue
        failed = ((one.get("validation_results") or {}).get("activeManifest") or {}).get("failure") or ()
        codes = [str(each.get("code")) for each in failed if each.get("code") != _UNTRUSTED]
        altered = any(code.endswith((".mismatch", ".missing")) for code in codes)
        broken = "altered" if altered else "expired" if set(codes) <= _RAN_OUT else "invalid"
        yield Ingredient(title, relation, broken if codes else "intact", _name_signer(inner))


def _name_part(failure: Mapping[str, Any], active: str, data: bytes, carried: Carried | None) -> str:
    """Return the altered part of which the library reports a failure, in words."""
    code, url = str(failure.get("code")), str(failure.get("url"))
    if code.startswith("ingredient") or (active not in url and "urn:" in url):
        return "the credentials of an ingredient"
    if code == "assertion.dataHash.mismatch":
        return _name_changed_bytes(data, carried)
    if code.startswith("assertion"):
        label = url.rpartition("/")[2]
        known = {
            RECORD: "the record that was signed",
            SHEET: "the records that were signed",
            TIME: "the time of the signature",
            _CREATOR: "the creator's name",
            "c2pa.actions": "the statement how it was made",
            "c2pa.ingredient": "what is said of an ingredient",
            "c2pa.hash": "the checksum of its bytes",
        }
        return next((words for start, words in known.items() if label.startswith(start)), f"its {_shorten(label)}")
    return "the signature" if code.startswith(("claimSignature", "claim")) else ""


def _name_changed_bytes(data: bytes, carried: Carried | None) -> str:
    """Return which bytes were changed, as far as the record that was signed with them tells."""
    if carried is None or carried.copy is None:
        return BYTES
    if embedding.has_bare_sha256(data, carried.copy.sha256):
        return "the words in its file, not its pixels"
    with suppress(NotAnImage):
        same = codecs.compute_digest(data) == carried.copy.digest
        return "its bytes, not its pixels" if same else "its pixels"
    return "its bytes: it is no image any more"


def _explain(codes: list[str]) -> str:
    """Return why credentials are invalid, in words where there are some."""
    if "signingCredential.invalid" in codes:
        return "its certificate is not one for signing"
    return _shorten(", ".join(codes[:3]))


def _format_time(time: str) -> str:
    return f"{time[:10]} {time[11:16]} UTC" if time[10:11] == "T" and time.endswith(("Z", "+00:00")) else time


def _shorten(words: object) -> str:
    text = make_printable(str(words)[: 4 * _MOST_NAME])
    return text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME - 3]}..."
