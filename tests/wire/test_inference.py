"""Inference Providers: the real `huggingface_hub` against a server of ours that speaks the router's wire."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceTimeoutError
from PIL import Image

from flux_magic import errors
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.client import generate
from flux_magic.client.doctor import examine
from flux_magic.client.many import announce
from flux_magic.images.codecs import decode
from flux_magic.jupyter import cell
from flux_magic.parameters import settings
from flux_magic.providers.base import Limits
from flux_magic.providers.inference import call, services
from flux_magic.providers.inference.errors import Asked, translate
from flux_magic.providers.registry import find_known_description
from flux_magic.records.record import find_contradiction, parse_record
from flux_magic.results.generation import Generation
from flux_magic.results.output import build_parameters
from flux_magic.sweeps.requests import Sweep
from flux_magic.verify.live import check
from tests.support.limits import PATIENCE
from tests.support.router import FILES, HUB, ROUTER, TOKEN, Reply, Router, list_wire, run_router
from tests.unit.samples import encoded

MODEL = "someone/paints"
OWN = "https://paint.example/generate"
ENDPOINT = "https://x1.us-east-1.aws.endpoints.huggingface.cloud"
ONE = Image.new("RGB", (16, 8), "red")
JPEG = encoded("jpeg", size=(64, 48))  # Pillow would write another


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    with run_router(monkeypatch) as router:
        yield router


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    monkeypatch.setattr(Limits.__init__, "__defaults__", _hasten(Limits.__init__.__defaults__))
    monkeypatch.chdir(tmp_path)


def _hasten(defaults: Any) -> Any:
    names = Limits.__init__.__code__.co_varnames[1 : 1 + len(defaults)]
    return tuple(0.001 if name == "backoff" else one for name, one in zip(names, defaults, strict=True))


def made(**options: Any) -> Generation:
    given = {"provider": "inference", "model": MODEL, "seed": 42, "token": TOKEN, "quiet": True, **options}
    result = generate(given.pop("prompt", "a fox"), **given)
    assert isinstance(result, Generation)
    return result


def put(router: Router, name: str, data: bytes = JPEG, *, edits: bool = False) -> str:
    """Let a company serve the model; return the path that its jobs are posted to."""
    path, script = list_wire(data, edits=edits)[name]
    task = "image-to-image" if edits else "text-to-image"
    router.serve(MODEL, name, task=task)
    path = path.format(model=MODEL)
    router.script |= {key or f"POST {ROUTER}{path}": reply for key, reply in script.items()}
    return path


ALL = {"steps": 4, "guidance": 3.5, "negative_prompt": "text", "width": 512, "height": 256}
NAMED = {"num_inference_steps": 4, "guidance_scale": 3.5, "negative_prompt": "text", "seed": 42}
SIDES = {"width": 512, "height": 256}
OTHERS = {"scheduler": "euler", "lora": "x"}


@pytest.mark.parametrize(
    ("name", "body", "note"),
    [
        pytest.param("fal-ai", {"prompt": "a fox", **NAMED, "image_size": SIDES, **OTHERS}, "", id="fal-ai"),
        pytest.param(
            "hf-inference", {"inputs": "a fox", "parameters": {**NAMED, **SIDES, **OTHERS}}, "", id="hf-inference"
        ),
        pytest.param(
            "nscale",
            {
                "prompt": "a fox",
                "size": "512x256",
                "guidance_scale": 3.5,
                "negative_prompt": "text",
                "seed": 42,
                **OTHERS,
            }
            | {"response_format": "b64_json", "model": "nscale/its-name"},
            "note: nscale gets no steps: huggingface_hub leaves that out; nscale is not known to read the guidance\n",
            id="nscale",
        ),
        pytest.param("replicate", {"input": {"prompt": "a fox", **NAMED, **SIDES, **OTHERS}}, "", id="replicate"),
        pytest.param(
            "together",
            {"prompt": "a fox", "steps": 4, "guidance_scale": 3.5, "negative_prompt": "text", "seed": 42, **SIDES}
            | {"response_format": "base64", "model": "together/its-name", **OTHERS},
            "",
            id="together",
        ),
        pytest.param("wavespeed", {"prompt": "a fox", **NAMED, **SIDES, **OTHERS}, "", id="wavespeed"),
        pytest.param(
            "zai-org",
            {"prompt": "a fox", "size": "512x256", **NAMED, "model": "zai-org/its-name", **OTHERS},
            "",
            id="zai-org",
        ),
    ],
)
def test_each_company_gets_what_was_asked_and_its_image_comes_as_it_was_delivered(
    router: Router, capsys: pytest.CaptureFixture[str], name: str, body: Any, note: str
) -> None:
    path = put(router, name)
    chosen = f"inference:{name}"
    image = made(provider=chosen, **ALL, parameters=OTHERS)
    assert [(one.host, one.path, one.body) for one in router.posted] == [(ROUTER, path, body)]
    assert {one.token for one in router.calls if one.host in {ROUTER, HUB}} == {TOKEN}
    assert {one.token for one in router.calls if one.host == FILES} <= {""}
    assert image.data == JPEG
    record, details = image.record, image.record.circumstances.details
    assert (record.provider, record.model, record.space) == ("Inference Providers", MODEL, f"provider:{chosen}")
    assert (record.seed, record.steps) == (42, None if name == "nscale" else 4)
    assert (details["served_by"], details["seed"]) == (name, "sent, not confirmed")
    assert details.get("ignored", "") == ("steps" if name == "nscale" else "")
    assert capsys.readouterr().err == note  # before it is asked, once
    assert parse_record(json.loads(json.dumps(record.as_dict()))) == record
    assert find_contradiction(record) == ""
    shown = build_parameters(record).data["text/plain"]
    assert "42 (sent, not confirmed)" in shown
    assert f"{MODEL} (served by {name})" in shown
    assert f"--provider {chosen}" in image.command()
    assert made(provider=chosen, **ALL, parameters=OTHERS).replayed, "what was made is not paid for twice"
    assert len(router.posted) == 1
    assert TOKEN not in json.dumps(record.as_dict()) + image.command() + repr(image)


@pytest.mark.parametrize(
    ("name", "read", "head"),
    [
        pytest.param("fal-ai", lambda body: body["image_url"], "data:image/png;base64,", id="fal-ai, by its queue"),
        pytest.param("hf-inference", lambda body: body["inputs"], "", id="hf-inference"),
        pytest.param("replicate", lambda body: body["input"]["image"], "data:image/png;base64,", id="replicate"),
        pytest.param("together", lambda body: body["reference_images"][0], "data:image/png;base64,", id="together"),
        pytest.param("wavespeed", lambda body: body["image"], "data:image/jpeg;base64,", id="wavespeed, as it says"),
    ],
)
def test_an_image_goes_in(router: Router, capsys: pytest.CaptureFixture[str], name: str, read: Any, head: str) -> None:
    put(router, name, edits=True)
    image = made(prompt="make it blue", image=ONE, width=64, height=64)
    body = router.posted[0].body
    assert read(body).startswith(head)
    assert decode(base64.b64decode(read(body).removeprefix(head))).tobytes() == ONE.tobytes()
    inner = body.get("input", body.get("parameters", body))
    assert (inner["prompt"], inner["seed"]) == ("make it blue", 42)
    assert inner.get("image_size", inner.get("target_size")) == {"width": 64, "height": 64}
    note = "" if name in {"fal-ai", "hf-inference"} else f"note: {name} is not known to read the size\n"
    assert capsys.readouterr().err == note
    assert (image.data, len(image.record.images)) == (JPEG, 1)


@pytest.mark.parametrize("options", [{}, {"image": ONE}], ids=["zai-org", "an edit"])
def test_a_side_alone_that_is_left_out_is_not_recorded_as_sent(
    router: Router, capsys: pytest.CaptureFixture[str], options: Any
) -> None:
    name = "fal-ai" if options else "zai-org"
    put(router, name, edits=bool(options))
    image = made(width=512, **options)
    assert "512" not in str(router.posted[0].body)
    assert capsys.readouterr().err == f"note: {name} gets no width: huggingface_hub leaves that out\n"
    record = image.record
    assert (record.requested_width, record.width, record.circumstances.details["ignored"]) == (512, None, "width")
    assert find_contradiction(record) == ""
    assert made(width=512, **options).replayed
    assert len(router.posted) == 1


JOB = f"POST {ROUTER}/together/v1/images/generations"
POLL = f"GET {ROUTER}/wavespeed/api/v3/predictions/p1/result"
BILLED = "The image may have been made, and billed, all the same."
RIGHT = 'the token needs the permission "Make calls to Inference Providers"'
SAID = {"error": "their words"}
REFUSED, BROKEN, STATUS = (
    "together refused the request",
    "together sent an answer without an image",
    "together answered with",
)
MANY, LETS, NOT_IMAGE = (
    "too many requests for",
    "together does not let this token make images",
    "sent something that is no",
)
GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "their words"}


def data(text: str) -> Reply:
    return Reply({"data": [{"b64_json": text}]})


@pytest.mark.parametrize(
    ("reply", "kind", "message", "hint", "posts"),
    [
        pytest.param(
            Reply({"error": {"message": "their words"}}, 400), "SpaceError", REFUSED, "the values", 1, id="400"
        ),
        pytest.param(Reply(SAID, 401), "TokenRefused", LETS, RIGHT, 1, id="401"),
        pytest.param(Reply(SAID, 402), "QuotaExceeded", "the credit for Inference", "settings/billing", 1, id="402"),
        pytest.param(Reply(b"", 403), "TokenRefused", LETS, RIGHT, 1, id="403 without a word"),
        pytest.param(Reply(b"", 403, GATED), "TokenRefused", f"{MODEL} is gated", f".co/{MODEL}", 1, id="gated"),
        pytest.param(Reply(SAID, 404), "SpaceNotFound", f"together does not know {MODEL}", "its name", 1, id="404"),
        pytest.param(
            Reply({"detail": [{"msg": "their words"}]}, 422), "SpaceError", REFUSED, "the values", 1, id="422"
        ),
        pytest.param(Reply(b"", 429, {"Retry-After": "900"}), "RateLimited", MANY, "in 900 s", 1, id="429, for long"),
        pytest.param(
            Reply(b"", 429, {"RateLimit": '"api";r=0;t=955'}), "RateLimited", MANY, "in 955 s", 1, id="429, draft"
        ),
        pytest.param(Reply(b"", 429), "RateLimited", MANY, "in a minute", 5, id="429, tried again"),
        pytest.param(
            Reply({"error": f"{TOKEN} their words"}, 500), "StatusError", f"{STATUS} HTTP", BILLED, 1, id="500"
        ),
        pytest.param(Reply(b"", 502), "StatusError", f"{STATUS} HTTP status 502", BILLED, 1, id="502"),
        pytest.param(
            Reply(SAID, 503), "StatusError", f"{STATUS} HTTP status 503", "in a moment", 5, id="503, tried again"
        ),
        pytest.param(Reply(b"<html>", 504), "StatusError", f"{STATUS} HTTP status 504", BILLED, 1, id="504"),
        pytest.param(Reply(status=0), "ConnectionLost", f"the connection to {ROUTER} broke", BILLED, 1, id="no answer"),
        pytest.param(
            Reply(b"<html>Oh no</html>"), "ProtocolError", f"{BROKEN} (JSONDecodeError)", BILLED, 1, id="a page"
        ),
        pytest.param(Reply({"data": []}), "ProtocolError", f"{BROKEN} (IndexError)", BILLED, 1, id="without an image"),
        pytest.param(data("AAAA"), "NotAnImage", f"together {NOT_IMAGE} image", BILLED, 1, id="no image"),
        pytest.param(data("x"), "ProtocolError", f"{BROKEN} (Error)", BILLED, 1, id="no base64"),
        pytest.param(
            [Reply(b"", 503), Reply(b"", 429), data("x")], "ProtocolError", BROKEN, BILLED, 3, id="passing, then broken"
        ),
    ],
)
def test_every_error_is_in_our_words_and_nothing_paid_is_asked_twice(
    router: Router, caplog: pytest.LogCaptureFixture, reply: Any, kind: str, message: str, hint: str, posts: int
) -> None:
    caplog.set_level(logging.DEBUG, "flux_magic")
    put(router, "together")
    router.script[JOB] = reply
    with pytest.raises(errors.FluxError) as caught:
        made()
    assert (type(caught.value).__name__, caught.value.message[: len(message)]) == (kind, message)
    assert ("their words" in caught.value.message) == ("their words" in str(reply))
    assert hint in caught.value.hint, caught.value.hint
    assert len(router.posted) == posts
    assert caught.value.__cause__ is caught.value.__context__ is None, "it would hold the request, with its token"
    assert TOKEN not in f"{caught.value!r}{caplog.text}"


def waved(status: str, **more: Any) -> Reply:
    return Reply({"data": {"status": status, **more}})


@pytest.mark.parametrize(
    ("poll", "message"),
    [
        pytest.param(
            waved("failed", error="not safe"), "wavespeed failed: WaveSpeed AI task failed: not safe", id="failed"
        ),
        pytest.param(Reply(b"", 429), "too many requests for wavespeed", id="429"),
        pytest.param(Reply(b"", 503), "wavespeed answered with HTTP status 503\n" + BILLED, id="503"),
        pytest.param(
            waved("completed", outputs=["http://10.0.0.1/x"]), "the Space points to 10.0.0.1", id="an own network"
        ),
        pytest.param(
            waved("completed", outputs=[f"https://{FILES}/gone"]), "wavespeed does not know", id="no such file"
        ),
    ],
)
def test_a_job_that_was_accepted_is_never_posted_again(router: Router, poll: Reply, message: str) -> None:
    put(router, "wavespeed")
    router.script[POLL] = poll
    with pytest.raises(errors.FluxError) as caught:
        made()
    assert str(caught.value).startswith(message)
    assert len(router.posted) == 1


def test_a_finished_image_is_fetched_again_if_its_connection_breaks(router: Router) -> None:
    put(router, "fal-ai")
    router.script[f"GET {FILES}/image"] = [Reply(status=0), Reply(b"", 503), Reply(JPEG)]
    assert made().data == JPEG
    assert (len(router.posted), router.list_calls().count(f"GET {FILES}/image")) == (1, 3)


def test_replicate_that_has_no_image_within_a_minute_is_a_time_out(router: Router) -> None:
    put(router, "replicate")
    router.script[f"POST {ROUTER}/replicate/v1/models/replicate/its-name/predictions"] = Reply({"output": None})
    with pytest.raises(errors.TimedOut, match="replicate sent no image in time") as caught:
        made()
    assert BILLED in caught.value.hint


@pytest.mark.parametrize(
    ("offers", "company", "served"),
    [
        pytest.param(["replicate", "together"], "", "replicate", id="the first of the user's order"),
        pytest.param(["replicate", "together"], ":together", "together", id="the one that is named"),
        pytest.param(["replicate", "together"], ":auto", "replicate", id="auto"),
        pytest.param(["replicate=error", "together"], "", "together", id="the first that is live"),
        pytest.param(["novita", "together"], "", "together", id="the first that makes images"),
        pytest.param(
            ["replicate"], ":together", "is not served by together, but by replicate: choose", id="not by this one"
        ),
        pytest.param(
            ["replicate", "fal-ai=error"], ":together", "but by replicate, fal-ai (error): choose", id="but by two"
        ),
        pytest.param(
            ["novita"], "", "; novita does, which is not asked for images here", id="by none that makes images"
        ),
        pytest.param([], "", f"no Inference Provider serves {MODEL}", id="by none"),
        pytest.param(
            ["together"], ":togther", "inference:togther makes no images: choose one of fal-ai,", id="no company"
        ),
        pytest.param(None, "", f"the Hub does not know {MODEL}", id="no such model"),
    ],
)
def test_the_hub_says_who_serves_a_model(router: Router, offers: Any, company: str, served: str) -> None:
    for name in ("replicate", "together"):
        put(router, name)
    router.script.pop(f"GET {HUB}/api/models/{MODEL}")
    if offers is not None:
        router.serve(MODEL, *offers)
    if served in services.SERVICES:
        assert made(provider=f"inference{company}").record.circumstances.details["served_by"] == served
        return
    with pytest.raises(errors.FluxError) as caught:
        made(provider=f"inference{company}")
    assert served in caught.value.message
    assert router.posted == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"token": None}, "Inference Providers need a token of Hugging Face", id="no token"),
        pytest.param({"token": "sk-1"}, "the token (given) is not one of Hugging Face's, which", id="another's key"),
        pytest.param({"mask": ONE, "image": ONE}, f"{MODEL} takes no mask by Inference Providers", id="a mask"),
        pytest.param({"image": [ONE, ONE]}, "Inference Providers take one image, not 2", id="two images"),
        pytest.param({"image": ONE}, f"{MODEL} takes no images", id="an image"),
        pytest.param(
            {"parameters": {"guidance_scale": 3}}, "guidance_scale is --guidance here", id="the library's name"
        ),
        pytest.param({"endpoint": "/x"}, "Inference Providers take no endpoint", id="an endpoint"),
        pytest.param({"proxy": "http://p:1"}, "the proxy is not used for Inference Providers", id="a proxy"),
        pytest.param({"model": "gpt"}, "there is no model 'gpt': give its id on the Hub", id="no id"),
        pytest.param({"model": "http://a:b@c.example"}, "the model's address holds a name", id="a password"),
        pytest.param({"model": "http://[c"}, "the model is not a whole address", id="no address"),
        pytest.param({"space": "a/b"}, "Inference Providers makes its images without a Space", id="a Space"),
    ],
)
def test_what_can_be_known_is_refused_before_anything_is_paid(router: Router, options: Any, message: str) -> None:
    put(router, "together")
    with pytest.raises(errors.FluxError) as caught:
        made(**options)
    assert caught.value.message.startswith(message), caught.value.message
    assert router.posted == []
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "given", "configured", "environment", "sent"),
    [
        pytest.param(OWN, TOKEN, {}, "", TOKEN, id="of the call"),
        pytest.param(OWN, None, {"token": TOKEN}, "", "", id="configured, for another model"),
        pytest.param(OWN, None, {"token": TOKEN, "model": OWN}, "", TOKEN, id="configured together"),
        pytest.param(OWN, None, {}, TOKEN, "", id="of the environment"),
        pytest.param(OWN, None, {"model": OWN}, TOKEN, "", id="of the environment, for a server of one's own"),
        pytest.param(ENDPOINT, None, {"model": ENDPOINT}, TOKEN, TOKEN, id="of the environment, for an own endpoint"),
        pytest.param(ENDPOINT, None, {}, TOKEN, "", id="of the environment, for a stranger's endpoint"),
        pytest.param("http://paint.example/x", TOKEN, {}, "", "", id="not in the clear"),
    ],
)
def test_a_server_of_ones_own_gets_only_the_token_that_is_meant_for_it(
    router: Router,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    given: Any,
    configured: Any,
    environment: str,
    sent: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", environment)
    monkeypatch.setattr(settings, "_configured", lambda: configured)
    place = model.partition("://")[2] + ("" if "/" in model.partition("://")[2] else "/")
    router.script[f"POST {place}"] = Reply(JPEG)
    image = made(model=model, token=given, steps=3)
    body = {"inputs": "a fox", "parameters": {"num_inference_steps": 3, "seed": 42}}
    assert [(one.host + one.path, one.token, one.body) for one in router.calls] == [(place, sent, body)]
    assert (image.data, image.record.model) == (JPEG, model)
    assert "served_by" not in image.record.circumstances.details


def test_the_token_of_the_environment_goes_to_the_router_and_the_hub(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(router, "fal-ai")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    made(token=None)
    assert {one.host: one.token for one in router.calls} == {HUB: TOKEN, ROUTER: TOKEN, FILES: ""}


def test_a_key_of_a_company_goes_to_that_company_alone(router: Router) -> None:
    put(router, "together")
    router.script["POST api.together.xyz/v1/images/generations"] = router.script[JOB]
    made(provider="inference:together", token="tgp_1")
    assert {one.host: one.token for one in router.calls} == {HUB: "", "api.together.xyz": "tgp_1"}


@pytest.mark.parametrize(
    ("name", "at"),
    [pytest.param("together", "POST", id="in the job"), pytest.param("wavespeed", "GET", id="while it polls")],
)
def test_a_cancelled_job_returns_at_once_and_its_thread_ends(router: Router, name: str, at: str) -> None:
    put(router, name)
    router.script[POLL] = waved("processing")
    if at == "POST":
        router.gate.clear()

    async def cancel() -> float:
        async with AsyncClient(provider="inference", model=MODEL, token=TOKEN) as client:
            job = asyncio.ensure_future(client.generate("a fox", seed=1))
            await asyncio.to_thread(router.arrived.wait, PATIENCE)
            begin = time.monotonic()
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
            return time.monotonic() - begin

    assert asyncio.run(cancel()) < 30  # without it, never
    router.gate.set()
    left = [one for one in threading.enumerate() if one.name == "flux_magic inference"]
    for one in left:
        one.join(PATIENCE)
    number = len(router.calls)
    assert not any(one.is_alive() for one in left)
    assert len(router.calls) == number


def test_the_gate_is_nothing_to_others_who_use_the_session(router: Router) -> None:
    from huggingface_hub import get_session

    put(router, "together")
    made()
    router.script["GET elsewhere.example/x"] = Reply(b"theirs")
    answer = get_session().get("https://elsewhere.example/x", headers={"Authorization": "Bearer theirs"})
    assert (answer.content, router.calls[-1].token, call._gate.get()) == (b"theirs", "theirs", None)


def test_an_answer_that_is_too_large_is_not_read(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    put(router, "fal-ai")
    monkeypatch.setattr(
        Limits.__init__,
        "__defaults__",
        tuple(1000 if one == 64 * 2**20 else one for one in Limits.__init__.__defaults__ or ()),
    )
    router.script[f"GET {FILES}/image"] = Reply(bytes(2000))
    with pytest.raises(errors.ProtocolError, match="the answer is larger than"):
        made()


def test_a_slow_answer_is_a_time_out(router: Router) -> None:
    put(router, "together")
    router.gate.clear()
    with pytest.raises(errors.TimedOut, match=r"no image within 0.2 s, the limit that was set"):
        made(timeout=0.2)
    late = translate(InferenceTimeoutError("x"), Asked(MODEL, "together", is_sent=True))
    assert str(late) == f"together sent no image in time\n{BILLED} Try again later."


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "FLUX_MAGIC_REPLAY"])
def test_while_nothing_may_be_asked_the_store_answers_alone(
    router: Router, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put(router, "together")
    first = made()
    number = len(router.calls)
    monkeypatch.setenv(name, "1" if name.startswith("HF") else "only")
    assert made(token=None).data == first.data
    with pytest.raises(errors.NotInStore, match="nothing is asked of Inference Providers") as caught:
        made(seed=43)
    assert len(str(caught.value).splitlines()) == 2
    assert len(router.calls) == number


def test_verify_spends_no_money_that_the_user_did_not_name(
    router: Router, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(router, "together")
    path = made(provider="inference:together").save(tmp_path / "fox.png")[0]
    monkeypatch.setattr(settings, "_configured", lambda: {"provider": "inference", "token": TOKEN})
    report = asyncio.run(check([str(path)]))
    said = "not asked: it was made by inference:together; to ask it, which costs money, add --provider inference"
    assert report.verdicts[0].why == said
    assert len(router.posted) == 1
    assert asyncio.run(check([str(path)], provider="inference")).passed
    assert len(router.posted) == 2


@pytest.mark.parametrize(
    ("options", "name", "said"),
    [
        pytest.param({}, "token", "given", id="a token"),
        pytest.param({}, "served by", "together, novita (not asked here); text-to-image", id="served"),
        pytest.param({"token": None}, "token", "none", id="no token"),
        pytest.param(
            {"model": "some/one"}, "answers", "no: SpaceNotFound: the Hub does not know some/one: Not Found", id="no"
        ),
        pytest.param({"model": OWN, "token": None}, "token", "none", id="an address"),
    ],
)
def test_the_doctor_says_who_serves_a_model_and_pays_nothing(
    router: Router, options: Any, name: str, said: str
) -> None:
    router.serve(MODEL, "together", "novita")
    asked = {"provider": "inference", "model": MODEL, "token": TOKEN, **options}
    diagnosis = asyncio.run(examine(settings.resolve(**asked)))
    assert diagnosis.rows[name].splitlines()[0] == said
    assert router.posted == []
    if diagnosis.healthy:
        names = ["steps", "guidance", "negative_prompt", "width", "height", "seed", "scheduler"]
        assert [row.name for row in diagnosis.parameters] == names
        known = find_known_description(options.get("model", MODEL), None, "inference")
        assert known is not None
        assert (known.input_images, known.needs_image) == ((1, False) if "model" in options else (0, False))


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        ("", "black-forest-labs/FLUX.1-schnell"),
        ("flux-dev", "black-forest-labs/FLUX.1-dev"),
        ("kontext", "black-forest-labs/FLUX.1-Kontext-dev"),
    ],
)
def test_a_dry_run_says_that_it_costs_money_and_asks_nothing(router: Router, typed: str, model: str) -> None:
    said = cell.read(f"--provider inference --steps 4 {f'--model {typed}' if typed else ''}", "a fox", {}).describe()
    assert said.startswith(
        f"nothing was sent; it would go to https://router.huggingface.co, by a company that serves {model}\n"
    )
    assert '"num_inference_steps": 4' in said
    assert said.endswith("each image is paid for")
    assert router.calls == []


def test_a_sweep_says_what_it_may_cost_and_wants_a_yes_for_more_than_16(router: Router) -> None:
    read = cell.read("--provider inference --seed 1..4", "a fox", {})
    assert isinstance(read.images, Sweep)
    assert announce(read.images, read.settings).endswith("; each is paid for, unless it is in the store")
    with pytest.raises(errors.InvalidRequest, match="17 images are more than 16 in one cell: add --yes"):
        cell.read("--provider inference --seed 1..17", "a fox", {})
    assert router.calls == []


def test_without_the_library_there_is_one_line(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(errors.MissingExtra) as caught:
        made()
    assert (
        str(caught.value)
        == 'Inference Providers need huggingface_hub 2.4 or later: pip install "flux-magic[inference]"'
    )
    assert router.calls == []


@pytest.mark.parametrize("host", [HUB, ROUTER])
def test_a_refused_connection_is_tried_again_and_then_said(router: Router, host: str) -> None:
    put(router, "together")
    router.refusing.add(host)
    with pytest.raises(errors.ConnectionFailed, match=f"no connection to {host}: ") as caught:
        made()
    assert "billed" not in str(caught.value)
    assert (router.tried.count(host), router.posted) == (3, [])


def test_the_companies_are_those_that_the_library_asks_for_images() -> None:
    from huggingface_hub.inference._providers import PROVIDERS

    makes = {name: one for name, tasks in PROVIDERS.items() for one in [tasks.keys()] if "text-to-image" in one}
    assert {*makes} == {*services.SERVICES}
    assert {name for name in makes if "image-to-image" in makes[name]} == {
        name for name, one in services.SERVICES.items() if one.edits
    }
