"""Content credentials (C2PA) that are written: what they say of an image, and the signature.

An image by a model is `c2pa.created`. One that was made of others is `c2pa.edited`, with these as ingredients. What
somebody else has signed is an ingredient that was opened, so its own credentials go along.

`c2pa` is imported when it is used; nothing is fetched from anywhere but the time-stamp server, if one is configured.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from ..errors import FluxError, SaveError
from ..images import metadata
from ..images.formats import detect_media_type
from ..types import UNKNOWN, Copy, InputRecord, Record, make_printable
from . import embedding, keys, signing
from .record import Carried, get_version
from .store import Store, read_kept_input

SIGNED: Final = ("image/png", "image/jpeg", "image/webp")
"""The formats that are signed: those whose bytes as delivered can be found again in the signed file."""

_OFFLINE: Final = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_MOST_MAKERS: Final = 32
"""Images of ours among the ingredients of one image that are signed along with it; more have no credentials."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that went into another one: its bytes, its name, and `parentOf` or `inputTo`."""

    data: bytes = field(repr=False)
    title: str
    relation: str


@dataclass(slots=True)
class Signing:
    """One signer's way to sign: the key, the creator's name if it is to be given, and where ingredients are found.

    Attributes:
        identity: the key with its certificates.
        author: the creator's name; empty for none.
        store: what has the images that went in.
        given: more images that went in, by digest.
    """

    identity: keys.Identity
    author: str = ""
    store: Store | None = None
    given: Mapping[str, bytes] = field(default_factory=dict)
    _signed: dict[str, bytes] = field(default_factory=dict)

    def sign_copy(
        self,
        encoded: bytes,
        record: Record,
        place: int,
        *,
        delivered: bytes | None = None,
        with_record: bool = True,
        same_pixels: bool = False,
    ) -> tuple[bytes, Copy] | None:
        """Return a copy of one of the record's files with the record inside, signed; and its description.

        Args:
            encoded: the copy, in the encoding that it is to have.
            record: what made it.
            place: the image's place among the record's files, from 0.
            delivered: the file as delivered, if its own credentials are to be kept.
            with_record: whether file and credentials carry the record.
            same_pixels: whether the copy is known to have the pixels of the delivered file.

        The result is None for a file that is not signed: a GIF, an AVIF, and one whose credentials are elsewhere or
        cannot be read. Raises SaveError if signing fails, and NotAnImage.
        """
        theirs = embedding.is_signed(encoded if delivered is None else delivered)
        parent = (encoded if delivered is None else delivered) if theirs else None
        if detect_media_type(encoded) not in SIGNED or (parent and not _is_readable(parent)):
            return None
        inside = embedding.remove_signature(encoded)
        if with_record:
            inside, copy = embedding.embed_record(inside, record, place, same_pixels=same_pixels)
        else:
            copy = embedding.describe_copy(inside, record, place, same_pixels=same_pixels)
        assertions = [_build_record(Carried(record, copy))] if with_record else []
        is_same = parent is None or detect_media_type(parent) == detect_media_type(encoded)
        is_delivered = parent is None or embedding.compute_sha256(parent) == record.files[place].sha256
        title = "the image as delivered" if is_delivered else "the image as it was signed before"
        ingredients, actions = self._describe_origin(
            record, Ingredient(parent, title, "parentOf") if parent else None, is_same=is_same
        )
        return self._sign(inside, actions, assertions, ingredients), copy

    def sign_sheet(self, data: bytes, told: Mapping[str, Any], *, drawn: bool) -> bytes:
        """Return a sheet's file signed; `told` has its records, and may be empty."""
        action = {"action": "c2pa.created", "when": _format_now(), "softwareAgent": _OURS()}
        action["digitalSourceType"] = metadata.name_source(drawn=drawn, edited=True)
        assertions = [{"label": signing.SHEET, "kind": "Json", "data": dict(told)}] if told else []
        return self._sign(data, [action], assertions, [])

    def sign_as_found(self, data: bytes) -> bytes:
        """Return somebody's image signed, which says nothing of how it was made: only that it was opened."""
        action = {"action": "c2pa.opened", "when": _format_now(), "parameters": {"ingredientIds": ["0"]}}
        whole = [Ingredient(data, "the image as it was found", "parentOf")]
        return self._sign(embedding.remove_signature(data), [action], [], whole)

    def _describe_origin(
        self, record: Record, parent: Ingredient | None, *, is_same: bool
    ) -> tuple[list[Ingredient], list[dict[str, Any]]]:
        """Return what went in, and the actions that made the image of it, as C2PA words them."""
        inputs = [*self._list_inputs(record, has_parent=parent is not None)]
        source = metadata.name_source(drawn=record.stand_in, edited=bool(record.images))
        agent = {"name": _shorten(record.model)}
        if record.circumstances.weights != UNKNOWN:
            agent["version"] = _shorten(record.circumstances.weights)
        made: dict[str, Any] = {"softwareAgent": agent, "digitalSourceType": source, **_date(record)}
        if parent is not None:
            found = [parent, *inputs]
            opened = {"action": "c2pa.opened", "digitalSourceType": source, "parameters": {"ingredientIds": ["0"]}}
            return found, [opened] if is_same else [opened, {"action": "c2pa.transcoded", "softwareAgent": _OURS()}]
        if inputs and inputs[0].relation == "parentOf":
            others = {"parameters": {"ingredientIds": [str(at) for at in range(1, len(inputs))]}} if inputs[1:] else {}
            opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["0"]}}
            return inputs, [opened, {"action": "c2pa.edited", **made, **others}]
        given = {"parameters": {"ingredientIds": [str(at) for at in range(len(inputs))]}} if inputs else {}
        return inputs, [{"action": "c2pa.created", **made, **given}]

    def _list_inputs(self, record: Record, *, has_parent: bool) -> Iterator[Ingredient]:
        """Yield the images that went in, as far as they are here; the first that is no mask is the parent."""
        found = [(one, data) for one in record.images if (data := self._find_input(one)) is not None]
        first = next((one for one, _ in found if one.role == "image"), None)
        for one, data in sorted(found, key=lambda pair: pair[0] is not first):
            relation = "parentOf" if one is first and not has_parent else "inputTo"
            yield Ingredient(data, f"{one.role} sha256:{one.digest[:12]}", relation)

    def _find_input(self, one: InputRecord) -> bytes | None:
        """Return an image that went in, with credentials if it is a job's; None if it is not here."""
        if one.digest in self._signed:
            return self._signed[one.digest]
        with suppress(FluxError):
            kept = self.store.find_input(one.digest) if self.store is not None else None
            if kept is not None:
                data = read_kept_input(kept)
                if kept.record is not None and len(self._signed) < _MOST_MAKERS:
                    self._signed[one.digest] = data  # a forged record may name itself
                    self._signed[one.digest] = self._sign_maker(data, kept.record, one.digest)
                    return self._signed[one.digest]
                return data
        return self.given.get(one.digest)

    def _sign_maker(self, data: bytes, record: Record, digest: str) -> bytes:
        """Return the image of a job in the store as it would be saved."""
        place = next((at for at, file in enumerate(record.files) if file.digest == digest), 0)
        signed = self.sign_copy(data, record, place, same_pixels=True)
        return data if signed is None else signed[0]

    def _sign(
        self,
        data: bytes,
        actions: list[dict[str, Any]],
        assertions: list[dict[str, Any]],
        ingredients: list[Ingredient],
    ) -> bytes:
        """Return the file with a signed manifest. Raises SaveError, whose message never has the key."""
        import c2pa

        definition = {
            "claim_generator_info": [_OURS()],
            "assertions": [
                {"label": "c2pa.actions", "data": {"actions": actions}},
                *([_build_author(self.author)] if self.author else []),
                *assertions,
                {"label": signing.TIME, "kind": "Json", "data": {"when": _format_now()}},
            ],
        }
        who, out = self.identity, io.BytesIO()
        info = c2pa.C2paSignerInfo(who.algorithm.encode(), who.chain, who.key, who.time_server.encode() or None)
        try:
            with c2pa.Context.from_dict(_OFFLINE) as context, c2pa.Builder(definition, context) as builder:
                for at, one in enumerate(ingredients):
                    told = {"title": one.title, "relationship": one.relation, "label": str(at)}
                    builder.add_ingredient(told, detect_media_type(one.data), io.BytesIO(one.data))
                with c2pa.Signer.from_info(info) as signer:
                    builder.sign(signer, detect_media_type(data), io.BytesIO(data), out)
        except (c2pa.C2paError, OSError, ValueError) as error:
            raise SaveError(f"the image cannot be signed: {_explain(error, who)}") from None
        return out.getvalue()


def _explain(error: BaseException, who: keys.Identity) -> str:
    said = str(error).partition("\n")[0]
    if who.time_server and any(word in said.casefold() for word in ("http", "timestamp", "time stamp")):
        return f"the time-stamp server of {keys.TIME_SERVER} does not answer as one does"
    return _shorten(said)


def _OURS() -> dict[str, str]:  # noqa: N802 - a constant, but for the version that takes a millisecond to find
    return {"name": "flux_magic", "version": get_version()}


def _is_readable(data: bytes) -> bool:
    found = signing.read(data)
    return found is not None and found.is_read


def _build_record(carried: Carried) -> dict[str, Any]:
    return {"label": signing.RECORD, "kind": "Json", "data": carried.as_dict()}


def _build_author(name: str) -> dict[str, Any]:
    context = {"dc": "http://purl.org/dc/elements/1.1/"}
    return {"label": "cawg.metadata", "kind": "Json", "data": {"@context": context, "dc:creator": [_shorten(name)]}}


def _date(record: Record) -> dict[str, str]:
    """Return when the image was made, if its record knows that."""
    with suppress(ValueError):
        started = datetime.fromisoformat(record.circumstances.started.replace("Z", "+00:00"))
        if started.tzinfo is not None:
            return {"when": _format_time(started)}
    return {}


def _format_now() -> str:
    return _format_time(datetime.now(timezone.utc))


def _format_time(when: datetime) -> str:
    return f"{when.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _shorten(text: str) -> str:
    return make_printable(text[:400])[:200]
