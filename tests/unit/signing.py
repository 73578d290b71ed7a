"""Images with content credentials (C2PA), signed by a certificate of the tests' own."""

from __future__ import annotations

import functools
import io
from datetime import datetime, timedelta, timezone
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SIGNER = "Fox Studio (A Fox)"
"""What is shown of the signer: the organization, and the common name."""

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
    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    certificates = [_certificate("A Fox", leaf, root), _certificate("A Root", root, root)]
    key = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates), key


def _certificate(name: str, key: Any, issuer: Any) -> x509.Certificate:
    now, own = datetime.now(timezone.utc), key is issuer
    unused = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    usage = dict.fromkeys(unused.split(), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("A Root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=own, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not own, key_cert_sign=own, crl_sign=own, **usage), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
    )
    if not own:
        mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(mail, critical=False)
    return builder.sign(issuer, hashes.SHA256())


def _name(name: str) -> x509.Name:
    parts = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, "Fox Studio")]
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])
