"""The key that signs, with its certificates, and the certificates of others that the user trusts.

All of it is in the user's configuration folder, and never in a store, a notebook or a record::

    signing/key.pem             the private key, which only its owner can read
    signing/certificates.pem    its certificate, then that of its root
    trust/*.pem                 roots of others, such as a colleague's; .crt, .cer and .der are taken as well

`cryptography` is imported when it is used. The root's own key is thrown away once it has certified the one key.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidRequest, MissingExtra, SaveError
from ..parameters.paths import expand
from .files import read_file, write_whole

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE, KEY, TIME_SERVER = "FLUX_MAGIC_SIGN_CERT", "FLUX_MAGIC_SIGN_KEY", "FLUX_MAGIC_SIGN_TSA"
"""Variables of the environment: the files of another certificate and its key, and the URL of a time-stamp server."""

INSTALL: Final = 'pip install "flux-magic[sign]"'
MADE_BY: Final = "self-made with flux_magic"
"""The organization in a certificate of ours, which says that no authority has checked the name."""

_ROOT: Final = "root of "
"""The name of a root of ours begins with this, and ends with that of the key that it certifies."""

_YEARS: Final = 10
_MOST: Final = 2**20
"""A file of certificates with more bytes than this is not read."""

_PURPOSES: Final = {"1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"}
"""Extended key usages that C2PA takes for signing: e-mail protection, document signing, and its own."""

_ANY_PURPOSE: Final = "2.5.29.37.0"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key, checked and ready to sign.

    Attributes:
        name: the name in the certificate.
        algorithm: as C2PA names it: `es256`, `ps256`, `ed25519` …
        chain: the certificate and those of its issuers, as PEM.
        until: when the certificate expires.
        time_server: the URL of the time-stamp server, or "".
        warning: a remark for the user, such as a key that others can read; usually empty.
        key: the private key as PEM; no representation of this object shows it.
    """

    name: str
    algorithm: str
    chain: bytes = field(repr=False)
    until: datetime
    time_server: str = ""
    warning: str = ""
    key: bytes = field(default=b"", repr=False, compare=False)

    def __reduce__(self) -> Any:
        raise TypeError("a signing key is not pickled")


def get_folder() -> Path:
    """Return the user's configuration folder; raises InvalidRequest if the user has none, as in a container."""
    import platformdirs

    try:
        found = platformdirs.user_config_path("flux_magic", appauthor=False)
    except RuntimeError:  # what platformdirs says of a user without a home
        found = Path()
    if not found.is_absolute():
        raise InvalidRequest(
            f"no home folder is known, so there is no place for a signing key: {CERTIFICATE} and {KEY} name one"
        )
    return found


def make_key(name: str = "", *, new: bool = False) -> Identity:
    """Make a key and its certificates in the user's configuration folder, and return them.

    Args:
        name: the name that the certificate shows; without one it has no name, only a number.
        new: replace a key that is there; the old files are kept beside it, in `old`.

    Raises InvalidRequest if there is a key already, or if the environment names one; MissingExtra without
    `cryptography`, and SaveError.
    """
    _check_installed("cryptography")
    if is_named():
        raise InvalidRequest(f"{CERTIFICATE} and {KEY} name the key that signs: unset them to make one of your own")
    folder = get_folder() / "signing"
    there = [folder / "key.pem", folder / "certificates.pem"]
    if any(map(os.path.lexists, there)) and not new:
        raise InvalidRequest(
            f"there is a key already, in {folder}", "flux-magic key --new makes another, and keeps this one beside it."
        )
    if not name.isprintable():
        raise InvalidRequest("the name in a certificate is one line of printable characters: give another")
    key, chain = _make_chain(name.strip() or f"key {secrets.token_hex(4)}")
    try:
        _make_private(folder)
        if new:
            _put_aside(folder, there)
        for path, data in zip(there, (key, chain), strict=True):
            _write_private(path, data)
    except OSError as exc:
        raise SaveError(f"cannot write a key into {folder}: {exc.strerror or exc}") from exc
    return load()


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def _put_aside(folder: Path, there: list[Path]) -> None:
    """Move a key and its certificates into a folder of the time, within `old`."""
    aside = folder / "old" / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S.%f}"
    for path in there:
        if os.path.lexists(path):
            _make_private(folder / "old")
            _make_private(aside)
            path.rename(aside / path.name)


def _write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read; raises OSError if one is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _make_chain(name: str) -> tuple[bytes, bytes]:
    """Return a new private key, and its certificate with that of its root, as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    certificates = [_certify(name, leaf, root, f"{_ROOT}{name}"), _certify(f"{_ROOT}{name}", root, root)]
    key = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _certify(name: str, key: Any, issuer_key: Any, issuer: str = "") -> x509.Certificate:
    """Return a certificate as C2PA's profile wants it (its specification, 14.5.1): of a root, or by one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    now, is_root = datetime.now(timezone.utc), key is issuer_key
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unused = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_make_name(name))
        .issuer_name(_make_name(issuer or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # another machine's clock may be a little behind
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **unused),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_root:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _make_name(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        return x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, MADE_BY)]
        )
    except ValueError:
        raise InvalidRequest("the name in a certificate has 1 to 56 characters: give a shorter one") from None


def is_named() -> bool:
    """Return True if the environment names the key that signs, or its certificate."""
    return any(os.environ.get(name) for name in (CERTIFICATE, KEY))


def load() -> Identity:
    """Return the certificate that signs, from the files that the environment names, else the user's own.

    Raises InvalidRequest if it is missing, or if it cannot sign: expired, of another key, or not for signing. Raises
    MissingExtra without the packages of the extra `sign`.
    """
    for package in ("c2pa", "cryptography"):
        _check_installed(package)
    certificate_file, key_file = _find_files()
    try:
        return _load(certificate_file, key_file)
    except InvalidRequest as error:
        if is_named():
            raise
        raise InvalidRequest(f"{error.message} ({certificate_file.parent})", error.hint or _RENEW) from None


def _load(certificate_file: Path, key_file: Path) -> Identity:
    certificates = _read_certificates(certificate_file)
    key = _read_key(key_file)
    first = certificates[0]
    if first.public_key() != key.public_key():
        if any(one.public_key() == key.public_key() for one in certificates):
            raise InvalidRequest(
                f"{certificate_file.name} begins with another certificate: the signer's own comes first"
            )
        raise InvalidRequest(f"{certificate_file.name} is not the certificate of the key {key_file.name}")
    until = _get_until(first)
    now, since = datetime.now(timezone.utc), _get_since(first)
    if until < now:
        raise InvalidRequest(
            f"the certificate that signs expired on {until:%Y-%m-%d}", _RENAME if is_named() else _RENEW
        )
    if since > now:
        raise InvalidRequest(f"the certificate that signs is not valid before {since:%Y-%m-%d %H:%M} UTC")
    _check_purpose(first, certificate_file.name)
    return Identity(
        _get_common_name(first),
        _name_algorithm(key),
        _join(certificates),
        until,
        _get_time_server(),
        _find_weakness(key_file),
        _encode(key),
    )


_RENEW: Final = "flux-magic key --new makes another; what was signed before is still read."
_RENAME: Final = (
    f"Ask your authority for another and name that, or unset {CERTIFICATE} and {KEY} for a key of your own."
)


def _check_installed(package: str) -> None:
    if package not in _loaded and importlib.util.find_spec(package) is None:
        raise MissingExtra(f"signing needs {package}, which is not installed: {INSTALL}")
    _loaded.add(package)


_loaded: Final[set[str]] = set()


def _find_files() -> tuple[Path, Path]:
    """Return the files of the certificates and of the key."""
    named = [os.environ.get(name, "") for name in (CERTIFICATE, KEY)]
    if all(named):
        try:
            return Path(expand(named[0])), Path(expand(named[1]))
        except RuntimeError as exc:
            raise InvalidRequest(f"{CERTIFICATE} or {KEY} is no file: {exc}") from exc
    if any(named):
        there, missing = (CERTIFICATE, KEY) if named[0] else (KEY, CERTIFICATE)
        raise InvalidRequest(f"{there} is set, and {missing} is not: set both, or neither")
    folder = get_folder() / "signing"
    found = folder / "certificates.pem", folder / "key.pem"
    gone = [path.name for path in found if not os.path.lexists(path)]
    if len(gone) == 1:
        raise InvalidRequest(
            f"{gone[0]} is missing in {folder}: put it back, or run flux-magic key --new for another key"
        )
    if gone:
        raise InvalidRequest(
            "there is no key to sign with: run flux-magic key once, or sign nothing (--no-sign, sign=False)"
        )
    return found


def _read_certificates(path: Path) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        data = read_file(path, _MOST)
        if data[:1] == b"\x30":  # DER
            return [x509.load_der_x509_certificate(data)]
        return x509.load_pem_x509_certificates(data)
    except OSError as exc:
        raise InvalidRequest(f"the certificate {path.name} cannot be read: {exc.strerror or exc}") from None
    except ValueError:
        if b"PRIVATE KEY" in data:
            raise InvalidRequest(
                f"{path.name} holds a private key, and no certificate: give that, and no key"
            ) from None
        raise InvalidRequest(f"{path.name} holds no certificate: give a PEM file, the signer's own first") from None


def _read_key(path: Path) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(read_file(path, _MOST), None)
    except OSError as exc:
        raise InvalidRequest(f"the key {path.name} cannot be read: {exc.strerror or exc}") from None
    except TypeError:
        raise InvalidRequest(f"the key {path.name} has a passphrase: give one without, readable by you alone") from None
    except (ValueError, UnsupportedAlgorithm):  # whose words could quote the file
        raise InvalidRequest(f"{path.name} holds no private key: give a PEM file") from None


def _name_algorithm(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        known = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
        if key.curve.name in known:
            return known[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < 2048:
            raise InvalidRequest(f"the RSA key has {key.key_size} bits: give one of at least 2048")
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise InvalidRequest("the key is of a kind that C2PA does not sign with: give P-256, P-384, P-521, Ed25519 or RSA")


def _encode(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoded: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded


def _check_purpose(certificate: x509.Certificate, name: str) -> None:
    """Raise InvalidRequest for a certificate that readers of C2PA would refuse."""
    from cryptography import x509

    def find(kind: type[Any]) -> Any:
        with suppress(x509.ExtensionNotFound):
            return certificate.extensions.get_extension_for_class(kind).value
        return None

    usage, purposes = find(x509.KeyUsage), {one.dotted_string for one in find(x509.ExtendedKeyUsage) or ()}
    if _is_root(certificate) or certificate.issuer == certificate.subject:
        raise InvalidRequest(f"{name} begins with the certificate of an authority: the signer's own comes first")
    if usage is None or not usage.digital_signature or not purposes & _PURPOSES or _ANY_PURPOSE in purposes:
        raise InvalidRequest(
            f"the certificate {name} is not for signing: it needs the usage digitalSignature, "
            "and the extended usage emailProtection or documentSigning"
        )


def _is_root(certificate: x509.Certificate) -> bool:
    """Return True for the certificate of an authority, which certifies others."""
    from cryptography import x509

    with suppress(x509.ExtensionNotFound):
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    return False


def _get_until(certificate: x509.Certificate) -> datetime:
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=timezone.utc)  # before cryptography 42


def _get_since(certificate: x509.Certificate) -> datetime:
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=timezone.utc)  # before cryptography 42


def find_expiry(data: bytes, serial: int) -> datetime | None:
    """Return when the certificate with this serial number expires, which is somewhere in a file; None without it."""
    from cryptography import x509

    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    at = data.find(b"\x02" + bytes([len(number)]) + number) if len(number) < 128 else -1
    start = at - 13  # after its own head, that of what is signed, and the version
    if start < 0 or data[start : start + 2] != b"\x30\x82":
        return None
    end = start + 4 + int.from_bytes(data[start + 2 : start + 4], "big")
    with suppress(ValueError):  # a JPEG may have it in two parts
        return _get_until(x509.load_der_x509_certificate(data[start:end]))
    return None


def _get_common_name(certificate: x509.Certificate) -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else "an unnamed certificate"


def _get_time_server() -> str:
    url = os.environ.get(TIME_SERVER, "")
    if url and not url.startswith(("http://", "https://")):
        raise InvalidRequest(f"{TIME_SERVER} is no http URL: give that of a time-stamp server (RFC 3161)")
    return url


def _find_weakness(path: Path) -> str:
    """Return a warning if others than the owner can read the key."""
    with suppress(OSError):
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return f"others can read the signing key {path.name}: chmod 600 makes it yours alone"
        if os.name == "posix" and not is_named() and stat.S_IMODE(path.parent.stat().st_mode) & 0o022:
            return f"others can replace the signing key: chmod 700 {path.parent} makes its folder yours alone"
    return ""


def _join(certificates: list[x509.Certificate]) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def export_certificate(path: Path) -> str:
    """Write the public certificate that a colleague puts into the trust folder, and return the signer's name.

    It is the root of the chain, as trust begins there. Raises the errors of `load`, InvalidRequest if the chain has no
    root, and SaveError if a file is there or cannot be written.
    """
    identity = load()
    from cryptography import x509

    roots = [one for one in x509.load_pem_x509_certificates(identity.chain) if _is_root(one)]
    if not roots:
        raise InvalidRequest("the chain has no authority's certificate: ask the authority for it, and give that away")
    if os.path.lexists(path):
        raise SaveError(f"{path} already exists", "Give another path.")
    try:
        write_whole(path, _join(roots[-1:]))
    except OSError as exc:
        raise SaveError(f"cannot write {path}: {exc.strerror or exc}") from exc
    return identity.name


def trust_certificate(path: Path) -> tuple[str, Path]:
    """Put a colleague's public certificate into the trust folder; return the colleague's name, and the file there.

    Raises InvalidRequest if the file holds no root or the user has no folder, and MissingExtra without `cryptography`.
    Raises SaveError if another certificate has that name in the folder, or none can be written.
    """
    _check_installed("cryptography")
    roots = [one for one in _read_certificates(path) if _is_root(one)]
    if not roots:
        raise InvalidRequest(f"{path.name} {_NO_ROOT}")
    data, target = _join(roots), get_folder() / "trust" / f"{path.stem}.pem"
    try:
        if target.exists() and target.read_bytes() != data:
            raise SaveError(f"{target} is another certificate", "Give your file another name.")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, data)
    except OSError as exc:
        raise SaveError(f"cannot write {target}: {exc.strerror or exc}") from exc
    return _get_common_name(roots[0]).removeprefix(_ROOT), target


def read_trusted() -> tuple[bytes, list[str]]:
    """Return the roots that the user trusts, as PEM, and what in the trust folder is no root, a line each.

    The user's own are among them. Nothing is raised: without the folder, or `cryptography`, no root is trusted.
    """
    with suppress(InvalidRequest):
        folder = get_folder()
        if importlib.util.find_spec("cryptography") is not None:
            problems: list[str] = []
            roots = dict.fromkeys(_join([one]) for one in _collect_roots(folder, problems))
            return b"".join(roots), problems
    return b"", []


def _collect_roots(folder: Path, problems: list[str]) -> Iterator[x509.Certificate]:
    own = [folder / "signing" / "certificates.pem", *sorted((folder / "signing" / "old").glob("*/certificates.pem"))]
    for path in [*(one for one in own if one.is_file()), *_list_trusted(folder / "trust", problems)]:
        try:
            certificates = _read_certificates(path)
        except InvalidRequest as error:
            problems.append(f"trust: {error.message}")
            continue
        roots = [one for one in certificates if _is_root(one)]
        if not roots:
            problems.append(f"trust: {path.name} {_NO_ROOT}")
        yield from roots


_NO_ROOT: Final = (
    "is a signer's own certificate, by which C2PA trusts nothing: ask for its authority's, "
    "which flux-magic key --export writes"
)


def _list_trusted(folder: Path, problems: list[str]) -> list[Path]:
    """Return the files of the trust folder that may be certificates, by their suffixes; name the others."""
    try:
        there = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as exc:
        problems.append(f"trust: {folder} cannot be read: {exc.strerror or exc}")
        return []
    kinds = {".pem", ".crt", ".cer", ".der"}
    problems += [
        f"trust: {one.name} is left out: a certificate's file ends in .pem, .crt, .cer or .der"
        for one in there
        if one.suffix.lower() not in kinds
    ]
    return [one for one in there if one.suffix.lower() in kinds]


def list_trusted() -> tuple[Path, list[str]]:
    """Return the trust folder, and the names of the signers or authorities in it. Raises InvalidRequest without one."""
    folder = get_folder()
    _check_installed("cryptography")
    names: list[str] = []
    for path in _list_trusted(folder / "trust", []):
        with suppress(InvalidRequest):
            names += [_get_common_name(one) for one in _read_certificates(path) if _is_root(one)]
    return folder / "trust", [name.removeprefix(_ROOT) for name in names]
