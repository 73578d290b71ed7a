from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.errors import replace_controls
from flux_magic.images import codecs, metadata
from flux_magic.jupyter.panel.output import _render_image
from flux_magic.records import embedding
from flux_magic.records import record as records
from flux_magic.records.command import write_command
from flux_magic.results import output as display
from flux_magic.results.table import fold, is_long
from flux_magic.types import Record, escape_markdown, make_printable
from tests.unit.samples import FILE, encoded, generation, record

ROWS = ["prompt", "model", "seed", "size", "steps"]
PROMPTS = st.one_of(
    st.text(min_size=1),
    st.lists(
        st.sampled_from(
            ["<b>", "</pre>", "&amp;", "|", "$x$", "`", "```", "\\", '"', "'", "[a](b)", "{x}", "\n", " é "]
        ),
        min_size=1,
    ).map("".join),
).filter(str.strip)


class Reader(HTMLParser):
    """The tags of a document in order, and the strings between them."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.tags.append(tag)
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def cells_of(markdown: str) -> list[list[str]]:
    """Return the rows of a Markdown table, cut at the bars that no backslash escapes."""
    table = markdown.split("\n\n", 1)[0]
    return [re.split(r"(?<!\\)(?:\\\\)*\|", row)[1:-1] for row in table.split("\n")[2:]]


def test_a_picture_in_one_line_of_text() -> None:
    assert display.format_line(record(), FILE) == "<flux 256×192 seed=42 steps=4 sha256:1a2b3c4d5e6f>"


def test_the_picture_is_embedded_with_its_text() -> None:
    data = encoded()
    output = display.build_image(record(), 0, data, None)
    assert set(output.data) == {"image/png", "text/plain"}
    assert metadata.remove_metadata(base64.b64decode(output.data["image/png"])) == data
    assert output.data["text/plain"] == display.format_line(record(), FILE)


def test_the_metadata_hold_the_alternative_text_the_record_and_what_was_embedded() -> None:
    output = display.build_image(record(prompt='a "red" fox'), 0, encoded("webp"), None)
    embedded = base64.b64decode(output.data["image/jpeg"])
    there = json.loads(json.dumps(output.metadata))
    assert there["image/jpeg"] == {"alt": 'a "red" fox'}
    assert there["flux_magic"]["copy"] == {
        "file": 0,
        "media_type": "image/jpeg",
        "digest": codecs.describe(embedded).digest,
        "sha256": hashlib.sha256(metadata.remove_metadata(embedded)).hexdigest(),
    }
    assert there["flux_magic"]["record"]["run"]["seed"] == 42
    assert embedding.read(embedded) == records.parse_carried(there["flux_magic"])


@pytest.mark.parametrize(
    ("side", "shown"),
    [
        pytest.param((128, 128), {"width": 512, "height": 512}, id="four times"),
        pytest.param((100, 60), {"width": 500, "height": 300}, id="as often as it fits"),
        pytest.param((255, 1), {"width": 510, "height": 2}, id="the largest"),
        pytest.param((8, 256), {}, id="not small"),
    ],
)
def test_a_small_image_is_shown_enlarged_and_embedded_as_it_is(side: tuple[int, int], shown: dict[str, int]) -> None:
    data = encoded(size=side)
    made = replace(record(), files=(replace(FILE, width=side[0], height=side[1]),))
    output = display.build_image(made, 0, data, None)
    assert output.metadata["image/png"] == {"alt": made.prompt, **shown}
    assert codecs.describe(base64.b64decode(output.data["image/png"])).width == side[0]
    html = [_render_image(output), display.build_link(made, 0, "http://h.example/file").data["text/html"]]
    size = f'width="{shown["width"]}" height="{shown["height"]}" style="image-rendering:pixelated;' if shown else ""
    for one in html:
        assert ("pixelated" in one) == bool(shown)
        assert size in one


def test_a_link_shows_the_spaces_own_address() -> None:
    output = display.build_link(record(prompt='"><script>'), 0, "http://h.example/file=a?b&c")
    assert Reader(output.data["text/html"]).tags == ["a", "img", "/a"]
    assert output.data["text/html"] == (
        '<a href="http://h.example/file=a?b&amp;c"><img src="http://h.example/file=a?b&amp;c" '
        'alt="&quot;&gt;&lt;script&gt;"></a>'
    )
    assert output.data["text/plain"] == display.format_line(record(), FILE)
    assert output.metadata["flux_magic"]["record"]["run"]["prompt"] == '"><script>'


def test_the_same_record_is_shown_the_same_whenever_and_wherever_it_was_made() -> None:
    later = record(started="2030-01-01T00:00:00+00:00", seconds=99.0, version="9.9")
    assert display.build_parameters(later) == display.build_parameters(record())
    first, again = (display.build_image(made, 0, encoded(), None).data for made in (record(), later))
    assert first["text/plain"] == again["text/plain"]
    assert len({metadata.remove_metadata(base64.b64decode(shown["image/png"])) for shown in (first, again)}) == 1


@given(text=PROMPTS)
def test_the_html_has_its_tags_alone_and_the_prompt_as_text(text: str) -> None:
    made = record(prompt=text)
    read = Reader(display.build_parameters(made).data["text/html"])
    row = ["tr", "th", "/th", "td", "/td", "/tr"]
    first = ["tr", "th", "/th", "td", "pre", "/pre", "/td", "/tr"]
    assert read.tags == ["table", "tbody", *first, *row * 4, "/tbody", "/table", "pre", "/pre"]
    shown = [there for tag, there in zip(read.tags, read.texts, strict=True) if tag == "pre"]
    # What is no character of HTML is shown as another one, by html.unescape and by a browser alike.
    shown = [part.removeprefix("\n") for part in shown]  # as a browser does
    assert shown == [html.unescape(html.escape(part)) for part in (replace_controls(text), write_command(made))]
    assert [there for tag, there in zip(read.tags, read.texts, strict=True) if tag == "th"] == ROWS


WORDS = "a <b>fox</b>, $x$ and it's\nat *night*"
BOTH = ["image/png", "text/html"]


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        pytest.param({}, BOTH, id="as ever"),
        pytest.param({"caption": WORDS}, BOTH, id="a caption"),
        pytest.param({"only_image": True}, BOTH[:1], id="the image alone"),
        pytest.param({"only_image": True, "caption": WORDS}, BOTH, id="both"),
        pytest.param({"inline": "link", "alt": "<a\nfox>"}, ["text/html", "text/html"], id="a link"),
        pytest.param({"alt": " <a\n fox> "}, BOTH, id="a text of the user's"),
        pytest.param({"alt": " "}, BOTH, id="none"),
    ],
)
def test_a_caption_is_below_the_image_and_its_alternative_text_in_it(options: dict[str, Any], kinds: list[str]) -> None:
    made = replace(generation(), **options)
    image, *below = made.build_outputs()
    assert [next(iter(one.data)) for one in (image, *below)] == kinds
    alt = "<a fox>" if "fox" in options.get("alt", "") else made.prompt
    html_alt = f'alt="{html.escape(alt)}"'
    assert (
        image.metadata["image/png"]["alt"] == alt if "image/png" in image.data else html_alt in image.data["text/html"]
    )
    for one in below:
        caption = Reader(one.data["text/html"]).texts[:2] if "caption" in options else []
        assert caption == ([] if not caption else ["", WORDS])
        assert one.data["text/html"].startswith('<p class="flux-caption"') is bool(caption)
        assert one.data["text/markdown"].startswith(escape_markdown(WORDS)) is bool(caption)
        assert one.data["text/plain"].startswith(WORDS) is bool(caption)
        assert ("%%flux" in one.data["text/plain"]) is not made.only_image


@given(words=st.lists(st.text("ab$<&\t", min_size=1), min_size=1, max_size=300), ends=st.sampled_from(" \n"))
def test_a_long_prompt_is_folded_between_two_words_and_whole(words: list[str], ends: str) -> None:
    text = ends.join(words)
    folded = fold(text, "", name="flux-prompt")
    read = Reader(folded)
    inside = [there for tag, there in zip(read.tags, read.texts, strict=True) if tag in {"summary", "pre", "code"}]
    first, rest = "".join(inside[:-1]), inside[-1].removeprefix("\n")
    assert is_long(text) is folded.startswith('<details class="flux-prompt">')
    if not is_long(text):
        assert (first, rest) == ("", text)
        return
    cut = text[len(first) : len(text) - len(rest)]
    assert first + cut + rest == text
    assert cut.isspace() or (not cut and not re.search(r"\s", first[1:]))


@given(text=PROMPTS)
def test_the_markdown_has_one_row_for_each_parameter_whatever_the_prompt(text: str) -> None:
    made = record(prompt=text)
    shown = display.build_parameters(made).data["text/markdown"]
    rows = cells_of(shown)
    assert [len(row) for row in rows] == [2] * 5
    assert [row[0].strip() for row in rows] == [f"**{name}**" for name in ROWS]
    assert f"| **prompt** | {escape_markdown(text)} |" in shown
    assert html.unescape(re.sub(r"</?span>|\\(?=.)", "", escape_markdown(text))) == html.unescape(make_printable(text))


@given(text=PROMPTS)
def test_the_markdowns_fence_is_longer_than_any_in_the_command(text: str) -> None:
    made = record(prompt=text)
    _, _, block = display.build_parameters(made).data["text/markdown"].partition("\n\n")
    fence = "`" * (len(block) - len(block.lstrip("`")))
    assert block == f"{fence}text\n{write_command(made)}\n{fence}"
    assert len(fence) >= 3
    assert fence not in write_command(made)


@given(text=PROMPTS)
def test_the_text_has_one_line_for_each_parameter_and_the_command(text: str) -> None:
    made = record(prompt=text)
    shown, _, command = display.build_parameters(made).data["text/plain"].partition("\n\n")
    assert [row.split(" ")[0] for row in shown.split("\n")] == ROWS
    assert shown.startswith(f"prompt  {make_printable(text)}\n")
    assert command == write_command(made)


@pytest.mark.parametrize(
    ("made", "row"),
    [
        pytest.param(record(), "size    256×192", id="as asked for"),
        pytest.param(record(requested_width=260), "size    256×192 (asked for 260×192)", id="rounded"),
        pytest.param(record(files=(FILE, FILE)), "size    256×192", id="two of a size"),
        pytest.param(record(), "model   black-forest-labs-flux-1-schnell", id="the model"),
        pytest.param(
            record(space="local:1", model="flux_magic stand-in"),
            "model   flux_magic stand-in (the local Space's drawing, not FLUX)",
            id="the local Space",
        ),
    ],
)
def test_a_row_says_what_was_made(made: Record, row: str) -> None:
    assert row in display.build_parameters(made).data["text/plain"].split("\n")


def test_the_html_is_one_line_so_that_markdown_keeps_it_whole() -> None:
    assert "\n" not in display.build_parameters(record(prompt="one\n\n    two\n")).data["text/html"]
