"""Signing with a key of one's own, and what is found out about a file that was signed and altered."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import pickle
import stat
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from PIL import Image

from flux_magic.cli import main
from flux_magic.errors import InvalidRequest, MissingExtra, SaveError
from flux_magic.images import metadata
from flux_magic.images.codecs import make_png_chunk
from flux_magic.images.formats import detect_media_type
from flux_magic.images.inputs import read_input
from flux_magic.images.parts import jpeg_segments, png_chunks, webp_chunks
from flux_magic.parameters.settings import Settings
from flux_magic.records import embedding, keys, signing
from flux_magic.records.record import Carried
from flux_magic.records.store import Store
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.results.recall import recall
from flux_magic.sweeps.axes import Axis
from flux_magic.types import Record
from flux_magic.verify import check_static
from flux_magic.verify.export import export
from tests.unit.samples import encoded, generation, opened
from tests.unit.scripted import ADDRESS, installed
from tests.unit.signing import SIGNER, state
from tests.unit.signing import signed as signed_by_another
from tests.unit.test_signed import SUFFIX, noise, notebook_of, outputs_bytes

KINDS = ("png", "jpeg", "webp")
ADA = f"signed by Ada ({keys.MADE_BY})"
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a configuration folder that has no key yet; a store of the test's own is in use."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    for name in (keys.CERTIFICATE, keys.KEY, keys.TIME_SERVER):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config" / "flux_magic"


@pytest.fixture
def ada() -> keys.Identity:
    return keys.make_key("Ada")


def manifests(data: bytes) -> dict[str, Any]:
    """Return what C2PA's own reader says of a file, its manifests by label and the active one as `active`."""
    context = c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}})
    with c2pa.Reader(detect_media_type(data), io.BytesIO(data), context=context) as reader:
        told = json.loads(reader.json())
    return {**told["manifests"], "active": told["manifests"][told["active_manifest"]]}


def assertion(manifest: dict[str, Any], label: str) -> Any:
    return next(one["data"] for one in manifest["assertions"] if one["label"] == label)


def actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = assertion(manifest, "c2pa.actions.v2")["actions"]
    return found


def test_a_key_is_made_once_private_and_never_shown(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["key", "--name", "Ada"]) == 0
    said = capsys.readouterr().out
    assert "made a key of Ada" in said
    assert "does not prove who that is" in said
    key = config / "signing" / "key.pem"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (key, key.parent)] == [0o600, 0o700]
    secret, identity = key.read_text(), keys.load()
    assert secret.splitlines()[1] not in said + repr(identity) + str(identity)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(identity)
    assert main(["key"]) == 0
    assert "there is a key of Ada" in capsys.readouterr().out
    with pytest.raises(InvalidRequest, match="there is a key already"):
        keys.make_key()
    assert main(["key", "--name", "Eve"]) == 1
    assert key.read_text() == secret
    assert main(["key", "--new"]) == 0
    (old,) = (key.parent / "old").glob("*/key.pem")
    assert (old.read_text() == secret, key.read_text() == secret, stat.S_IMODE(old.stat().st_mode)) == (
        True,
        False,
        0o600,
    )
    assert keys.load().name.startswith("key ")  # nobody's name is in it unless it is given

    given = tmp_path / "mine.pem"
    assert main(["key", "--export", str(given)]) == 0
    assert main(["key", "--export", str(given)]) == 1  # it is there
    capsys.readouterr()
    assert [main(["key", "--trust", str(given)]) for _ in range(2)] == [0, 0]
    there = keys.get_folder() / "trust" / "mine.pem"
    assert capsys.readouterr().out.endswith(
        f"signatures of {keys.load().name} from now on: the certificate is {there}\n"
    )
    there.write_bytes(b"another")
    assert main(["key", "--trust", str(given)]) == 1
    assert main(["key", "--trust", str(key.parent / "key.pem")]) == 1
    assert main(["key", "--trust", str(given), "--new"]) == 1
    said = capsys.readouterr().err
    assert "is another certificate" in said
    assert "key.pem holds a private key, and no certificate" in said
    assert "one of --export and --trust" in said
    assert b"PRIVATE" not in given.read_bytes()
    assert len(x509.load_pem_x509_certificates(given.read_bytes())) == 1
    with pytest.raises(InvalidRequest, match="1 to 56 characters"):
        keys.make_key("x" * 60, new=True)
    key.chmod(0o644)
    assert "others can read the signing key key.pem" in keys.load().warning
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(
        "platformdirs.user_config_path", lambda *_a, **_k: (_ for _ in ()).throw(RuntimeError("no home"))
    )
    with pytest.raises(InvalidRequest, match="no home folder is known"):
        keys.load()
    assert keys.read_trusted() == (b"", [])


def write_chain(folder: Path, **changes: Any) -> None:
    """Write a key and its certificate, whose profile is changed, as files that the environment names."""
    key, chain = keys._make_chain("Real")
    (folder / "key.pem").write_bytes(changes.get("key", key))
    (folder / "cert.pem").write_bytes(changes.get("chain", chain))


def expired() -> dict[str, bytes]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.now(timezone.utc)
    good = keys._certify("Old", leaf, root, "root of Old")
    builder = x509.CertificateBuilder(good.issuer, good.subject, leaf.public_key(), good.serial_number)
    builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(days=1))
    for one in good.extensions:
        builder = builder.add_extension(one.value, one.critical)
    pem = builder.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return {"chain": pem, "key": keys._encode(leaf)}


def locked() -> dict[str, bytes]:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return {"key": key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"x"))}


def root_first() -> dict[str, bytes]:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    return {"key": keys._encode(key), "chain": keys._join([keys._certify("Root", key, key)])}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda: {"chain": keys._make_chain("X")[1]}, "is not the certificate of the key", id="another's"),
        pytest.param(expired, "expired on 20", id="expired"),
        pytest.param(locked, "has a passphrase", id="locked"),
        pytest.param(root_first, "begins with the certificate of an authority", id="a root"),
        pytest.param(lambda: {"key": b"-----BEGIN"}, "holds no private key", id="no key"),
        pytest.param(lambda: {"chain": b"words"}, "holds no certificate", id="no certificate"),
    ],
)
def test_a_real_certificate_is_checked_before_anything_is_sent(
    make: Callable[[], dict[str, bytes]],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from flux_magic.client.async_client import AsyncClient

    monkeypatch.setenv(keys.CERTIFICATE, str(tmp_path / "cert.pem"))
    write_chain(tmp_path)
    with pytest.raises(InvalidRequest, match=f"{keys.KEY} is not"):
        keys.load()
    monkeypatch.setenv(keys.KEY, str(tmp_path / "key.pem"))
    assert keys.load().name == "Real"
    assert main(["key"]) == 0
    assert "a key of Real, valid until 20" in (said_by_us := capsys.readouterr().out)
    assert f"which {keys.CERTIFICATE} and {keys.KEY} name" in said_by_us
    assert main(["key", "--new"]) == 1
    assert "unset them" in capsys.readouterr().err
    write_chain(tmp_path, **make())
    mine = installed(monkeypatch)
    with pytest.raises(InvalidRequest, match=said):
        asyncio.run(AsyncClient(sign=True).generate("a red fox", seed=1))
    assert mine.made == []
    monkeypatch.setitem(keys.__dict__, "_loaded", set())
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"signing needs c2pa, which is not installed: pip install"):
        keys.load()


def test_without_a_key_one_line_says_so_and_no_quota_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    from flux_magic.client.async_client import AsyncClient
    from flux_magic.jupyter.cell import read

    mine = installed(monkeypatch)
    for call in ("generate", "sweep"):
        options: dict[str, Any] = {"steps": [1, 2]} if call == "sweep" else {}
        with pytest.raises(InvalidRequest, match="run flux-magic key once"):
            asyncio.run(getattr(AsyncClient(sign=True), call)("a red fox", seed=1, **options))
    with pytest.raises(InvalidRequest, match="run flux-magic key once"):
        generation().save("fox.png", sign=True)
    assert mine.made == []
    assert read("--sign", "a red fox", {}).settings.sign
    assert not read("--no-sign", "a red fox", {}).settings.sign
    with pytest.raises(InvalidRequest, match="contradict"):
        read("--sign --no-sign", "a red fox", {})
    with pytest.raises(InvalidRequest, match="sign is 'yes': give True or False"):
        Settings(sign="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("ada")
def test_a_signed_file_says_what_made_it_and_is_read_as_before(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noise(kind)
    made, path = generation(data), tmp_path / f"fox.{SUFFIX[kind]}"
    plain = tmp_path / f"plain.{SUFFIX[kind]}"
    made.save(plain)
    before = plain.read_bytes()
    signed = replace(made, sign=True)
    assert signed.save(path) == signed.save(path) == [path]  # another signature of the same image changes nothing
    with pytest.raises(SaveError, match="another file of the same image"):
        signed.save(plain)
    assert (plain.read_bytes(), [one.name for one in tmp_path.glob("*.json")]) == (before, [])

    whole = path.read_bytes()
    assert state(whole, kind) == "Valid"
    assert opened(whole).tobytes() == opened(data).tobytes()
    assert embedding.remove_signature(whole) == before
    assert data in embedding.list_readings(whole)
    told = manifests(whole)["active"]
    (created,) = actions(told)
    assert (created["action"], created["digitalSourceType"]) == ("c2pa.created", f"{IPTC}trainedAlgorithmicMedia")
    assert created["softwareAgent"]["name"] == made.record.model
    assert "thumbnail" not in told
    assert "title" not in told
    assert (
        assertion(told, signing.RECORD)
        == Carried(made.record, embedding.describe_copy(before, made.record, 0)).as_dict()
    )
    found = recall(path)
    assert (found.record, found.generation is not None and found.generation.data == data) == (made.record, True)
    assert found.credentials is not None
    assert f"C2PA       {ADA} on 20" in found.describe()
    assert "unchanged since; you trust its certificate" in str(found)
    (verdict,) = check_static(path).verdicts
    assert (verdict.called, verdict.signature, verdict.status.value) == ("intact", "signed", "pass")

    signed.save(path, overwrite=True, metadata=False)  # the mark stays, and the record is left out
    told = manifests(path.read_bytes())["active"]
    assert [one["label"] for one in told["assertions"]] == ["c2pa.actions.v2", signing.TIME]
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert "to see who signed it" in str(signing.read(whole))
    assert check_static(plain).passed


@pytest.mark.usefixtures("ada")
def test_a_name_is_in_it_only_if_it_is_given(tmp_path: Path) -> None:
    made, path = generation(), tmp_path / "fox.png"
    replace(made, sign=True, sign_as="Ada Lovelace").save(path)
    assert assertion(manifests(path.read_bytes())["active"], "cawg.metadata")["dc:creator"] == ["Ada Lovelace"]
    assert str(tmp_path).encode() not in path.read_bytes()


def make_edit(store: Store, data: bytes, of: Generation) -> tuple[Generation, Record]:
    """Return an edit of a stored image, with a mask that no job made."""
    image = read_input(of.data, "image", digest=of.digest)
    mask = read_input(encoded(size=(32, 24), colour=255), "mask")
    made = generation(data, images=(image.record, mask.record), prompt="make it winter")
    store.put(made.record, [data], [image, mask])
    return made, made.record


@pytest.mark.usefixtures("ada")
def test_an_edit_has_its_inputs_as_ingredients_and_these_theirs(tmp_path: Path) -> None:
    store, first = Store(tmp_path / "store"), generation(noise("png"))
    store.put(first.record, [first.data])
    edit, record = make_edit(store, noise("webp", colour=3), first)
    again, _ = make_edit(store, noise("jpeg", colour=9), edit)
    path = tmp_path / "again.jpg"
    replace(again, sign=True).save(path)
    told = manifests(path.read_bytes())
    assert len(told) - 1 == 3
    opened_, edited = actions(told["active"])
    assert [opened_["action"], edited["action"]] == ["c2pa.opened", "c2pa.edited"]
    assert edited["digitalSourceType"] == f"{IPTC}compositeWithTrainedAlgorithmicMedia"
    found = recall(path).credentials
    assert found is not None
    image, mask = found.ingredients
    assert (image.relation, image.state, str(image)) == (
        "parentOf",
        "intact",
        f"image sha256:{edit.digest[:12]}, {ADA}, intact when it went in",
    )
    assert (mask.relation, str(mask)) == ("inputTo", f"mask sha256:{record.images[1].digest[:12]}, not signed")
    assert check_static(path).passed
    assert f"ingredient: image sha256:{edit.digest[:12]}" in check_static(path).verdicts[0].why


@pytest.mark.parametrize(("kind", "name"), [("png", "fox.png"), ("jpeg", "fox.jpg"), ("webp", "fox.png")])
@pytest.mark.usefixtures("ada")
def test_what_a_provider_signed_becomes_an_ingredient_and_both_are_in_the_file(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = signed_by_another(noise(kind), kind)
    made, path = replace(generation(data), sign=True), tmp_path / name
    made.save(path)
    assert "loses" not in capsys.readouterr().err
    assert {one.name for one in tmp_path.glob("fox.*")} == {name}
    found = recall(path)
    assert (found.record, embedding.read(path.read_bytes()) is not None) == (made.record, True)
    assert found.credentials is not None
    assert [str(one) for one in found.credentials.ingredients] == [
        f"the image as delivered, signed by {SIGNER}, intact when it went in"
    ]
    assert actions(manifests(path.read_bytes())["active"])[0]["action"] == "c2pa.opened"
    assert check_static(path).passed
    shown = outputs_bytes(made)
    assert signing.read(shown) is not None
    assert "this copy by Ada" in made.build_outputs()[1].data["text/plain"]
    notebook = notebook_of(tmp_path / "fox.ipynb", made)
    assert check_static(notebook).passed
    Store(tmp_path / "store").put(made.record, [data])
    (exported,) = (one for one in export(notebook, sign=True).folder.iterdir() if one.suffix != ".json")
    assert exported.read_bytes() == data  # a replay needs it as it was delivered

    remote = replace(generation(signed_by_another(noise(kind), kind, "http://127.0.0.1:9/fox", embed=False)), sign=True)
    remote.save(tmp_path / "remote", overwrite=True)
    assert "it is not signed" in capsys.readouterr().err


@pytest.mark.usefixtures("ada")
def test_notebook_sheet_and_export_are_signed_and_still_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flux_magic.client.async_client import AsyncClient

    monkeypatch.chdir(tmp_path)
    mine = installed(monkeypatch)
    mine.pictures = {ADDRESS: noise("webp")}
    client = AsyncClient(sign=True, replay="auto")
    made = asyncio.run(client.sweep("a red fox", steps=[1, 2], seed=7))
    assert [one.data for one in made] == [noise("webp")] * 2  # the store has it as it was delivered
    first = made[0]
    assert state(outputs_bytes(first), "png") == "Valid"
    assert "signed  by Ada (content credentials, C2PA)" in first.build_outputs()[1].data["text/plain"]
    sheet = base64.b64decode(made.build_outputs()[0].data["image/jpeg"])
    assert state(sheet, "jpeg") == "Valid"
    made.grid().save("sheet.png")
    notebook_of(Path("sheet.ipynb"), made)  # type: ignore[arg-type]  # it is shown alike
    assert [one.signature for one in check_static("sheet.png").verdicts] == ["signed", ""]
    assert check_static(["sheet.ipynb", "sheet.png"]).passed

    notebook = notebook_of(Path("fox.ipynb"), first)
    assert export(notebook).written == 1
    assert export(notebook, sign=True).written == 1  # the unsigned one is replaced, once
    report = export(notebook, sign=True)
    assert (report.written, report.there) == (0, 1)
    (exported,) = report.folder.glob("*.webp")
    assert state(exported.read_bytes(), "webp") == "Valid"
    monkeypatch.setenv("FLUX_MAGIC_STORE", "off")
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    again = asyncio.run(client.generate("a red fox", steps=1, seed=7))
    assert (again.replayed, again.data) == (True, noise("webp"))
    assert check_static([notebook, report.folder]).passed
    monkeypatch.setenv(keys.TIME_SERVER, "http://127.0.0.1:9/")
    assert embedding.read(outputs_bytes(first)) is not None
    assert signing.read(base64.b64decode(made.build_outputs()[0].data["image/jpeg"])) is None
    assert (
        f"not signed: the image cannot be signed: the time-stamp server of {keys.TIME_SERVER}"
        in capsys.readouterr().err
    )
    monkeypatch.setenv(keys.TIME_SERVER, "ftp://")
    with pytest.raises(InvalidRequest, match="is no http URL"):
        keys.load()
    monkeypatch.delenv(keys.TIME_SERVER)
    (tmp_path / "config" / "flux_magic" / "signing" / "key.pem").unlink()
    assert embedding.read(outputs_bytes(first)) is not None  # what was made is shown all the same
    assert "the image shown is not signed: key.pem is missing" in capsys.readouterr().err


def test_a_colleague_is_trusted_by_a_file_in_the_folder(
    ada: keys.Identity,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, root = tmp_path / "fox.png", tmp_path / "ada.pem"
    generation().save(path, sign=True)
    keys.export_certificate(root)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "bob"))
    keys.make_key("Bob")
    assert "the name is not verified" in str(signing.read(path.read_bytes()))
    trust = keys.get_folder() / "trust"
    trust.mkdir()
    (trust / "ada.pem").write_bytes(root.read_bytes())
    (trust / "broken.pem").write_text("words")
    leaf = x509.load_pem_x509_certificates(ada.chain)[0]
    (trust / "leaf.pem").write_bytes(keys._join([leaf]))
    assert "you trust its certificate" in str(signing.read(path.read_bytes()))
    assert keys.read_trusted()[1] == [
        "trust: broken.pem holds no certificate: give a PEM file, the signer's own first",
        (
            "trust: leaf.pem is a signer's own certificate, by which C2PA trusts nothing: ask for its authority's, "
            "which flux-magic key --export writes"
        ),
    ]
    assert main(["key"]) == 0
    assert "note: trust: leaf.pem is a signer's own" in capsys.readouterr().err


@pytest.mark.usefixtures("ada")
def test_files_that_are_there_are_signed_unless_it_would_mislead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, path, out = generation(noise("png")), tmp_path / "fox.png", tmp_path / "out"
    made.save(path)
    out.mkdir()
    assert main(["sign", str(path), "-o", str(out)]) == 0
    assert embedding.remove_signature((out / "fox.png").read_bytes()) == path.read_bytes()
    assert main(["sign", str(path), "--as", "Ada L"]) == 0
    once = path.read_bytes()
    assert assertion(manifests(once)["active"], "cawg.metadata")["dc:creator"] == ["Ada L"]
    assert main(["sign", str(path)]) == 0
    assert ("is signed already, by Ada" in capsys.readouterr().out, path.read_bytes()) == (True, once)

    Generations([made, made], [Axis("seed", (1, 2))]).grid().save(sheet := tmp_path / "sheet.jpg")
    theirs = tmp_path / "theirs.png"
    generation(signed_by_another(noise("png"), "png")).save(theirs)  # its record is beside it
    seedless = tmp_path / "seedless.png"
    generation(noise("png"), seed=None).save(seedless)
    assert main(["sign", *map(str, (sheet, theirs, seedless))]) == 0
    kept = recall(theirs).credentials
    assert kept is not None
    assert [one.state for one in kept.ingredients] == ["intact"]
    assert check_static([theirs, sheet]).passed
    assert check_static(sheet).verdicts[0].signature == "signed"

    stranger, altered = tmp_path / "stranger.png", tmp_path / "altered.png"
    stranger.write_bytes(noise("png"))
    altered.write_bytes(change_pixel(path.read_bytes(), "png"))
    unsigned = tmp_path / "unsigned.png"
    unsigned.write_bytes(change_pixel(embedding.remove_signature(once), "png"))
    for one, why in (
        (stranger, "holds no record"),
        (altered, "it was signed before, and altered since"),
        (unsigned, "altered since it was made"),
    ):
        before = one.read_bytes()
        assert main(["sign", str(one)]) == 1
        assert why in capsys.readouterr().err
        assert one.read_bytes() == before
        assert main(["sign", "--any", str(one)]) == 0
        told = manifests(one.read_bytes())["active"]
        assert [action["action"] for action in actions(told)] == ["c2pa.opened"]
        assert "digitalSourceType" not in actions(told)[0]
    for wrong in (tmp_path / "fox.ipynb", tmp_path, tmp_path / "none.png"):
        assert main(["sign", str(wrong)]) == 1
    assert main(["sign", str(path), str(sheet), "-o", str(tmp_path / "x.png")]) == 1


# What is altered, and what is found.


def shown_in_a_cell(path: Path, data: bytes, told: Any = None) -> Path:
    """Return a notebook that shows an image of ours; if `told`, with its metadata and a checksum that is right."""
    shown = {"data": {detect_media_type(data): base64.b64encode(data).decode(), "text/plain": "<an image>"}}
    about = {"flux_magic": {**told, "sha256": embedding.compute_sha256(data)}} if told else {}
    output = {"output_type": "display_data", "metadata": about, **shown}
    cell = {"cell_type": "code", "source": "%flux a red fox", "metadata": {}, "outputs": [output]}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    return path


@pytest.mark.parametrize("what", ["sheet", "figure", "image"])
@pytest.mark.parametrize(
    ("alter", "called", "signature"),
    [
        pytest.param(lambda data: data, "intact", "signed", id="whole"),
        pytest.param(lambda data: change_pixel(data, "jpeg"), "altered", signing.ALTERED, id="a pixel"),
        pytest.param(lambda data: data + b"x", "re-encoded", signing.ALTERED, id="more bytes"),
        pytest.param(
            lambda data: change_pixel(embedding.remove_signature(data), "jpeg"), "altered", "", id="signature removed"
        ),
        pytest.param(
            lambda data: after(data, b"c2pa.actions", b"lgorithmicMedia", b"lgorithmicMedib"),
            "intact",
            signing.ALTERED,
            id="the statement of AI",
        ),
        pytest.param(
            lambda data: data.replace(b"c2pa.created", b"c2pa.creatad", 1), "intact", signing.ALTERED, id="an action"
        ),
    ],
)
@pytest.mark.usefixtures("ada")
def test_what_a_cell_shows_is_examined_as_its_file_is(
    what: str, alter: Callable[[bytes], bytes], called: str, signature: str, tmp_path: Path
) -> None:
    made = Generations([replace(generation(noise("jpeg"), seed=seed), sign=True) for seed in (1, 2)], [SEEDS])
    output = made.build_outputs()[0]
    made[0].save(tmp_path / "fox.jpg")
    shown = (tmp_path / "fox.jpg").read_bytes() if what == "image" else base64.b64decode(output.data["image/jpeg"])
    path = tmp_path / "altered.jpg"
    path.write_bytes(alter(shown))
    told = output.metadata["flux_magic"] if what == "sheet" else None
    notebook = shown_in_a_cell(tmp_path / "fox.ipynb", path.read_bytes(), told)
    verdicts = [check_static(one).verdicts[0] for one in (path, notebook)]
    assert [(one.static.value, one.signature) for one in verdicts] == [(called, signature)] * 2
    assert [one.status.value for one in verdicts] == ["pass" if signature == "signed" else "fail"] * 2
    assert verdicts[0].why == verdicts[1].why
    if what == "sheet":
        bare = opened(path.read_bytes())
        Image.frombytes(bare.mode, bare.size, bare.tobytes()).save(path)  # nothing is left inside
        notebook = shown_in_a_cell(notebook, path.read_bytes(), told)
        assert "only a checksum in the notebook" in check_static(notebook).verdicts[0].why


SEEDS = Axis("seed", (1, 2))


def test_what_an_expired_certificate_signed_is_neither_intact_nor_altered(tmp_path: Path) -> None:
    data, path = (Path(__file__).parents[1] / "data" / "expired.png").read_bytes(), tmp_path / "fox.png"
    path.write_bytes(data)  # it was signed seconds before its certificate ran out
    report = check_static(path)
    (verdict,) = report.verdicts
    assert (verdict.called, verdict.static.value, report.exit_code) == (signing.EXPIRED, "intact", 1)
    said = "unchanged since; creator: Ada L.; its certificate ran out on 2026-11-30, and no trusted time-stamp"
    assert said in verdict.why
    assert "trust list" not in verdict.why
    assert "creator: Ada L." in recall(path).describe()
    keys.make_key("Ada")
    assert main(["sign", str(path)]) == 0  # signing it once more is the way out
    (verdict,) = check_static(path).verdicts
    assert (verdict.called, verdict.signature) == ("intact", "signed")
    assert "unchanged when it went in, by a certificate that had run out" in verdict.why
    path.write_bytes(change_pixel(data, "png"))
    assert check_static(path).verdicts[0].signature == signing.ALTERED


def change_pixel(data: bytes, kind: str) -> bytes:
    """Return a file with another pixel, in which all else is as it was."""
    image = opened(data).convert("RGB")
    image.putpixel((3, 3), (1, 2, 3))
    image.save(out := io.BytesIO(), kind, quality=95)
    other = out.getvalue()
    if kind == "png":
        pixels = b"".join(other[part.start : part.end] for part in png_chunks(other) if part.name == b"IDAT")
        parts = [part for part in png_chunks(data) if part.name == b"IDAT"]
        return data[: parts[0].start] + pixels + data[parts[-1].end :]
    if kind == "jpeg":
        applications = {bytes([0xE0 + number]) for number in range(16)}
        head, start = ([one for one in jpeg_segments(file) if one.name in applications][-1] for file in (data, other))
        return data[: head.end] + other[start.end :]
    part = next(part for part in webp_chunks(data) if part.name in {b"VP8 ", b"VP8L"})
    place = part.body + (part.end - part.body) // 2
    return data[:place] + bytes([data[place] ^ 2]) + data[place + 1 :]


def rewrite(data: bytes, change: Callable[[dict[str, Any]], None], prompt: str = "a red fox") -> bytes:
    """Return a file with another record in its words, and its credentials as they were."""
    told = json.loads(metadata.read(data).record)
    change(told)
    return metadata.embed(data, metadata.Written("", json.dumps(told), prompt, "m", "", False))


def after(data: bytes, label: bytes, old: bytes, new: bytes) -> bytes:
    """Return a file with the bytes replaced that follow a label in its credentials."""
    start = data.index(old, data.index(label))
    changed = data[:start] + new + data[start + len(old) :]
    if not data.startswith(b"\x89PNG"):
        return changed
    chunk = next(part for part in png_chunks(changed) if part.name == b"caBX")
    whole = make_png_chunk(b"caBX", changed[chunk.start + 8 : chunk.end - 4])  # with a checksum that is right
    return changed[: chunk.start] + whole + changed[chunk.end :]


def set_seed(told: dict[str, Any]) -> None:
    told["record"]["run"]["seed"] = 43


WAYS: dict[str, tuple[Callable[[bytes, str], bytes], tuple[str, str, tuple[str, ...]]]] = {
    "a pixel": (
        change_pixel,
        ("altered", signing.ALTERED, ("its pixels",)),
    ),
    "the record in its words": (
        lambda data, _: rewrite(data, set_seed),
        ("record edited", signing.ALTERED, ("the words in its file, not its pixels",)),
    ),
    "other words": (
        lambda data, _: rewrite(data, lambda _told: None, "a photograph of a fox"),
        ("intact", signing.ALTERED, ("the words in its file, not its pixels",)),
    ),
    "the signed record": (
        lambda data, _: after(data, signing.RECORD.encode(), b'"seed":42', b'"seed":43'),
        ("intact", signing.ALTERED, ("the record that was signed",)),
    ),
    "the statement of AI": (
        lambda data, _: after(data, b"c2pa.actions", b"lgorithmicMedia", b"lgorithmicMedib"),
        ("intact", signing.ALTERED, ("the statement how it was made",)),
    ),
    "the time": (
        lambda data, _: after(data, signing.TIME.encode(), b'"when":"20', b'"when":"19'),
        ("intact", signing.ALTERED, ("the time of the signature",)),
    ),
    "the claim": (
        lambda data, _: after(data, b"claim_generator_info", b"flux_magic", b"flax_magic"),
        ("intact", signing.ALTERED, ("the signature",)),
    ),
    "the claim beyond reading": (
        lambda data, _: after(data, b"c2pa.claim", b"claim_generator_info", b"claim_generator_infp"),
        ("intact", signing.DAMAGED, ()),
    ),
    "bytes at its end": (
        lambda data, _: data + b"more",
        ("re-encoded", signing.ALTERED, ("its bytes, not its pixels",)),
    ),
    "an ingredient": (
        lambda data, _: after(data, b"c2pa.actions", b"lgorithmicMedia", b"lgorithmicMedib"),
        ("intact", signing.ALTERED, ("the credentials of an ingredient",)),
    ),
}


@pytest.mark.thorough
@pytest.mark.usefixtures("ada")
def test_of_200_signed_files_50_are_altered_in_ten_ways_and_each_is_named(tmp_path: Path) -> None:
    store, folder = Store(tmp_path / "store"), tmp_path / "files"
    first = generation(encoded("png", size=(32, 24), colour=7))
    store.put(first.record, [first.data])
    expected: dict[str, tuple[str, str, tuple[str, ...], str]] = {}
    for number in range(200):
        kind, way = KINDS[number % 3], [*WAYS][number // 5] if number < 50 else ""
        data = encoded(kind, size=(64, 48), colour=number)
        made = (
            make_edit(store, data, first)[0]
            if (number > 50 and number % 9 == 0) or way == "an ingredient"
            else generation(data)
        )
        path = folder / f"{number:03}.{SUFFIX[kind]}"
        path.parent.mkdir(exist_ok=True)
        made.save(path, sign=True)
        expected[path.name] = ("intact", "signed", (), "pass")
        if way:
            alter, found = WAYS[way]
            altered = alter(path.read_bytes(), kind)
            assert altered != path.read_bytes()
            path.write_bytes(altered)
            expected[path.name] = (*found, "fail")
    report = check_static(folder)
    assert {
        Path(one.label).name: (
            one.static.value,
            one.signature,
            one.credentials.parts if one.credentials else (),
            one.status.value,
        )
        for one in report.verdicts
    } == expected
    assert Counter(one.signature for one in report.verdicts) == {"signed": 150, signing.ALTERED: 45, signing.DAMAGED: 5}
    assert report.counts == {
        "intact": 150,
        "altered": 5,
        "record edited": 5,
        signing.ALTERED: 35,
        signing.DAMAGED: 5,
    }
