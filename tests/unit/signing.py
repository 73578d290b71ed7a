"""Images with content credentials (C2PA), signed by a certificate of the tests' own."""

from __future__ import annotations

import functools
import io

import c2pa

from flux_magic.records import keys

SIGNER = f"A Fox ({keys.MADE_BY})"
"""What is shown of the signer: the common name, and the organization."""

_ACTION = {
    "action": "c2pa.created",
    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
}
_MANIFEST = {
    "claim_generator_info": [{"name": "tests", "version": "1"}],
    "assertions": [{"label": "c2pa.actions", "data": {"actions": [_ACTION]}}],
}
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def signed(data: bytes, kind: str, remote: str = "", *, embed: bool = True) -> bytes:
    """Return the image with credentials: in itself, or (`embed=False`) named in its XMP alone."""
    builder = c2pa.Builder(_MANIFEST, c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}}))
    if remote:
        builder.set_remote_url(remote)
    if not embed:
        builder.set_no_embed()
    out = io.BytesIO()
    certificates, key = _chain()
    info = c2pa.C2paSignerInfo(b"es256", certificates, key, None)
    builder.sign(c2pa.Signer.from_info(info), f"image/{kind}", io.BytesIO(data), out)
    return out.getvalue()


def state(data: bytes, kind: str) -> str:
    """Return what C2PA's own library says of an image: `Valid`, `Invalid`, or `none` if it has no credentials."""
    context = c2pa.Context.from_dict(_OFFLINE)
    reader = c2pa.Reader.try_create(f"image/{kind}", io.BytesIO(data), context=context)
    return "none" if reader is None else str(reader.get_validation_state())


@functools.cache
def _chain() -> tuple[bytes, bytes]:
    """Return a leaf's certificate with its root's, and the leaf's key, as PEM."""
    key, certificates = keys._make_chain("A Fox")
    return certificates, key
