from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from flux_magic.errors import InvalidRequest
from flux_magic.parameters.addresses import Space
from flux_magic.types import ImageRequest, ImageResponse, Queued, Running, Waiting, escape_markdown
from tests.unit.samples import FILE, record


@pytest.mark.parametrize(
    ("text", "url", "identity"),
    [
        pytest.param(
            "black-forest-labs/FLUX.1-schnell",
            "https://black-forest-labs-flux-1-schnell.hf.space",
            "hf:black-forest-labs/FLUX.1-schnell",
            id="a Hub id",
        ),
        pytest.param("A_b/c.d_e", "https://a-b-c-d-e.hf.space", "hf:A_b/c.d_e", id="a Hub id with dots and lines"),
        pytest.param(" owner/name/ ", "https://owner-name.hf.space", "hf:owner/name", id="spaces and a slash around"),
        pytest.param("http://127.0.0.1:7860/", "http://127.0.0.1:7860", "http://127.0.0.1:7860", id="a URL"),
        pytest.param("https://h.example/a/b/", "https://h.example/a/b", "https://h.example/a/b", id="a path"),
        pytest.param(
            "https://h.example/a?b=c#d", "https://h.example/a", "https://h.example/a", id="query and fragment"
        ),
        pytest.param("http://[::1]:7860", "http://[::1]:7860", "http://[::1]:7860", id="IPv6"),
        pytest.param("local", None, "local", id="local"),
        pytest.param(" local/", None, "local", id="local with a slash"),
    ],
)
def test_a_space_is_a_hub_id_a_url_or_local(text: str, url: str | None, identity: str) -> None:
    space = Space.parse(text)
    assert (space.url, space.identity) == (url, identity)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flux",
        "a/b/c",
        "ö/ü",
        "ftp://h.example",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://h.example:99999",
        "http://h.example:port",
        "http://[::1",
        "javascript:alert(1)",
    ],
)
def test_anything_else_is_no_space(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is no Space"):
        Space.parse(text)


PAGE = "https://huggingface.co/spaces/owner/na.me"
APP = "https://owner-na-me.hf.space"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((text, "owner/na.me") for text in [PAGE, f"{PAGE}/", f" <{PAGE}> ", f'"{PAGE}"', f"({PAGE})", f"{PAGE}."]),
        *((f"{PAGE}{more}", "owner/na.me") for more in ["/tree/main", "/blob/main/app.py#L3", "/discussions/1#@ann"]),
        *((f"{PAGE}{more}", "owner/na.me") for more in ["?duplicate=true", "#readme", "/embed?__theme=dark", ","]),
        ("http://www.huggingface.co/spaces/owner/na.me", "owner/na.me"),
        ("HTTPS://HuggingFace.co/spaces/owner/na.me", "owner/na.me"),
        ("https://huggingface.co/api/spaces/owner/na.me", "owner/na.me"),
        ("https://huggingface.co/spaces/owner%2Fna.me", "owner/na.me"),
        ("https://mirror.example/hf/spaces/owner/na.me/tree/main", "owner/na.me"),
        *((text, "owner/na.me") for text in ["hf.co/spaces/owner/na.me", "huggingface.co/spaces/owner/na.me?x=y"]),
        *((text, "owner/na.me") for text in ["spaces/owner/na.me", "/spaces/owner/na.me/tree/main"]),
        *((text, "owner/na.me") for text in ["hf:owner/na.me", "hf://spaces/owner/na.me"]),
        *((f"{APP}{more}", APP) for more in ["/gradio_api/call/infer", "/call/infer", "/call/v2/infer", "/config"]),
        *(
            (f"{APP}{more}", APP)
            for more in ["/gradio_api/info", "/gradio_api/mcp/sse", "/queue/join?", "/run/predict"]
        ),
        *(
            (f"{APP}{more}", APP)
            for more in ["/?view=api", "?__theme=dark", "/#x", "/call/infer/0a1b", ".", "/file=/x"]
        ),
        ("owner-na-me.hf.space/?view=api", APP),
        ("http://127.0.0.1:7860/?__theme=dark", "http://127.0.0.1:7860"),
        ("http://localhost:7860/gradio_api/call/infer", "http://localhost:7860"),
        *((text, "http://127.0.0.1:7860") for text in ["127.0.0.1:7860", "127.0.0.1:7860/?view=api"]),
        ("localhost:7860", "http://localhost:7860"),
        ("1a2b.gradio.live/", "https://1a2b.gradio.live"),
        *((f"https://h.example/app{more}", "https://h.example/app") for more in ["/", "/?view=api", "/call/infer"]),
        ("https://h.example/app/gradio_api/queue/data?session_hash=x", "https://h.example/app"),
        *((text, text) for text in ["https://h.example/api", "https://h.example/call", "https://H.example/info"]),
        ("http://h.example/?user=ann@h", "http://h.example"),
    ],
)
def test_an_address_that_was_copied_is_its_space(monkeypatch: pytest.MonkeyPatch, text: str, name: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/hf/")
    space = Space.parse(text)
    assert (space.name, space.hub_id) == (name, "" if ":" in name else name)
    assert space == Space.parse(space.name)  # a record's cell asks for the same


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "https://huggingface.co/owner/name?token=hf_x",
            "'https://huggingface.co/owner/name' is a model's page, not a",
        ),
        ("huggingface.co/owner/name/tree/main", "a model's page"),
        ("https://huggingface.co/datasets/owner/name", "a data set's page"),
        *(
            (f"https://hf.co{path}", "a page of the Hub, not a Space")
            for path in ["", "/spaces", "/spaces/owner", "/ann"]
        ),
        ("https://huggingface.co/docs/hub/spaces", "a page of the Hub"),
        ("https://huggingface.co/spaces/owner/ö", "a page of the Hub"),
    ],
)
def test_another_page_of_the_hub_is_named(text: str, words: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"give a Space's page or id, such as https://huggingface\.co/spaces/"
    ) as caught:
        Space.parse(text)
    assert words in str(caught.value)
    assert "hf_x" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://ann@h.example",
        "https://ann:se?secret@h",
        "https://ann:se#secret@h",
        "https://ann:secret@h.example",
        "https://:secret@h.example",
    ],
)
def test_a_spaces_url_holds_no_name_or_password_and_the_error_does_not_show_them(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no user name or password") as caught:
        Space.parse(text)
    assert "secret" not in str(caught.value)
    assert "ann" not in str(caught.value)


def test_a_request_inherits_what_it_leaves_out() -> None:
    request = ImageRequest("a fox")
    inherited = {request.model, request.width, request.height, request.steps, request.seed, request.sent_width}
    assert inherited == {None}


@pytest.mark.parametrize(("asked", "sent"), [(8, 8), (15, 8), (16, 16), (768, 768), (1023, 1016)], ids=str)
def test_a_size_is_rounded_down_to_a_multiple_of_8_when_it_is_sent(asked: int, sent: int) -> None:
    request = ImageRequest("a fox", width=asked, height=asked + 8)
    assert (request.sent_width, request.sent_height) == (sent, sent + 8)
    assert (request.width, request.height) == (asked, asked + 8)


@pytest.mark.parametrize("prompt", ["", " ", "\n\t "])
def test_a_prompt_without_words_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequest, match="prompt is empty"):
        ImageRequest(prompt)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("width", 7, id="width 7"),
        pytest.param("height", 0, id="height 0"),
        pytest.param("width", 512.0, id="a float"),
        pytest.param("height", "512", id="a string"),
        pytest.param("steps", 0, id="no steps"),
        pytest.param("steps", True, id="a bool"),
        pytest.param("seed", -1, id="a negative seed"),
    ],
)
def test_a_value_that_is_no_whole_number_of_its_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name} is {value!r}: give a whole number from"):
        ImageRequest("a fox", **{name: value})


def test_the_largest_seed_is_a_seed() -> None:
    assert ImageRequest("a fox", seed=2147483647).seed == 2147483647


def test_a_seed_past_the_largest_is_refused() -> None:
    with pytest.raises(
        InvalidRequest, match=r"seed is 2147483648: give .* to 2147483647, or leave it out for a random one"
    ):
        ImageRequest("a fox", seed=2147483648)


@pytest.mark.parametrize(
    "value",
    [ImageRequest("a fox"), Space("local", None), Waiting("x"), Queued(1), Running(), ImageResponse([], ""), FILE],
    ids=lambda value: type(value).__name__,
)
def test_a_value_cannot_be_changed(value: object) -> None:
    name = next(iter(type(value).__dataclass_fields__))  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, "other")


def test_a_response_reads_as_markdown() -> None:
    response = ImageResponse(["http://h.example/a b(1).png", "http://h.example/2.png"], "a [red]\n$fox$ www.a\\", 7, {})
    alt = r"![a \[red\] \$fox\$ www\.a\\]"
    shown = f"{alt}(http://h.example/a%20b%281%29.png)\n{alt}(http://h.example/2.png)"
    assert str(response) == response._repr_markdown_() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a  red\n\tfox ", "a red fox", id="one line"),
        pytest.param("a|b", r"a\|b", id="a table's bar"),
        pytest.param("<b>&amp;</b>", r"\<b\>\&amp;\</b\>", id="HTML"),
        pytest.param("$x_1$", r"<span>&#36;</span>x\_1<span>&#36;</span>", id="MathJax"),
        pytest.param(r"\*a* ~b~ `c` !d", r"<span>&#92;</span>\*a\* \~b\~ \`c\` \!d", id="emphasis and code"),
        pytest.param("# {a} [b](c)", r"\# \{a\} \[b\]\(c\)", id="headings and links"),
        pytest.param("http://a.b www.c.d e@f", r"http\://a.b www\.c.d e\@f", id="autolinks"),
        pytest.param("a\x1b]0;b\x07\u202e", r"a\ufffd\]0;b\ufffd\ufffd".replace(r"\ufffd", "\ufffd"), id="controls"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize(
    ("space", "drawn"), [("local:1", True), ("hf:a/b", False), ("http://127.0.0.1:7860", False), ("local", False)]
)
def test_a_record_knows_the_local_spaces_drawings(space: str, drawn: bool) -> None:  # noqa: FBT001 - a table's column
    assert record(space=space).stand_in is drawn


def test_a_record_becomes_json_with_its_files() -> None:
    there = json.loads(json.dumps(record().as_dict()))
    assert there["schema"] == 1
    assert there["run"]["prompt"] == "a red fox"
    assert there["requested"]["space"] is None
    assert there["circumstances"]["hardware"] == "unknown"
    assert there["files"] == [
        {"media_type": "image/png", "width": 256, "height": 192, "digest": FILE.digest, "sha256": FILE.sha256}
    ]


@pytest.mark.parametrize("text", ["../..", "./x", "_/_", "-/-", "http://@h", "http://h/a b", "http://h/'x'"])
def test_what_only_looks_like_a_space_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Space.parse(text)


def test_a_refused_address_shows_no_password() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Space.parse("ftp://ann:secret@h")
    assert "secret" not in str(caught.value)


def test_a_spaces_name_has_no_query() -> None:
    assert Space.parse("http://h.example/?token=hf_x") == Space("http://h.example", "http://h.example")


@pytest.mark.parametrize("prompt", [None, 7, b"a fox"])
def test_a_prompt_that_is_no_text_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequest, match="give a string"):
        ImageRequest(prompt)


@pytest.mark.parametrize("space", [5, True, b"local"])
def test_a_space_that_is_no_text_is_refused(space: Any) -> None:
    with pytest.raises(InvalidRequest, match="the Space is"):
        Space.parse(space)


def test_a_number_of_very_many_digits_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequest, match="seed is a number with very many digits: give"):
        ImageRequest("a fox", seed=10**5000)


def test_local_may_be_written_in_capitals() -> None:
    assert Space.parse("LOCAL") == Space("local", None)


def test_half_a_letter_is_refused_where_it_stands() -> None:
    """As a file's name that is no UTF-8 has them."""
    with pytest.raises(InvalidRequest) as caught:
        ImageRequest("fox \ud83d cut")
    assert caught.value.message == (
        "the prompt has half a character, '\\ud83d' at 4, which no page can show: leave it out"
    )
