"""A stranger's words, hundreds of them: they are shown as words, and their files stay in their folder."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import mistune
import pytest

from flux_magic.results.file_names import make_slug
from flux_magic.types import ImageResponse
from tests.unit.samples import encoded, generation

ACTIONS = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<iframe src=//e.example>"),
    *(
        "<style>*{display:none}</style>",
        "<base href=//e.example>",
        "<meta http-equiv=refresh content=0>",
        "<h1>out</h1>",
    ),
    *(
        "<a href=javascript:alert(1)>x</a>",
        "<math><mtext><img src=x></math>",
        "<object data=x>",
        "<form action=//e.example>",
    ),
    *("<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>", "<!--", "<![CDATA[<b>]]>", "<?php ?>"),
    *(
        "![x](http://e.example/x.png)",
        "[x](javascript:alert(1))",
        "<http://e.example>",
        "`</code><b>x</b>`",
        "**b** _i_ ~~s~~",
    ),
    *(
        "| a | b |\n|---|---|",
        "# out",
        "\n\n> out",
        "\n```\n<b>\n```\n",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "\\<b\\>",
        "$\\href{x}{y}$",
    ),
)
BREAKS = ("", '"', "'", "`", "](", "-->", '">', "'>", "</pre></details>", "\n\n")
"""What may end the place that the words are in."""


class Tags(HTMLParser):
    """The tags of a page, with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.found.append((tag, tuple(name for name, _ in attributes)))


def pages(words: str) -> Iterator[str]:
    """Give all that is shown of an image as HTML, each with the words in every place that a stranger fills."""
    names = {"prompt": words, "model": words, "provider": words, "space": words, "requested_prompt": words}
    for inline in (None, "link"):
        for output in generation(encoded(), inline=inline, seed=7, **names).build_outputs():
            yield from (str(value) for kind, value in output.data.items() if kind == "text/html")
    answer = ImageResponse([f"https://s.example/file={words}"], words)
    yield str(mistune.html(answer._repr_markdown_()))


def tags(words: str) -> tuple[Counter[str], set[object]]:
    """Return how many tags lead elsewhere, and all kinds of tags."""
    found = [tag for page in pages(words) for tag in Tags(page).found]
    return Counter(name for name, _ in found if name in {"a", "img"}), {*found}


@pytest.mark.parametrize("broken", BREAKS)
def test_words_are_shown_as_words(broken: str) -> None:
    """300 pieces of HTML and Markdown give the tags that harmless words of several kinds do."""
    leading, _ = tags("fox")
    assert leading["img"]
    usual = set().union(*(tags(words)[1] for words in ("fox", "a fox's \\den", "$x$", "a\n\nb", "x" * 99)))
    for action in ACTIONS:
        elsewhere, kinds = tags(f"{broken}{action}")
        assert (elsewhere, kinds - usual) == (leading, set()), f"{broken}{action}"


WAYS = (
    "../",
    "..\\",
    "/",
    "C:\\",
    "\\\\host\\",
    "%2e%2e/",
    "..%2f",
    "....//",
    "./../",
    "~/",
    "\u2025/",
    "\uff0e\uff0e\uff0f",
)
TARGETS = (
    "etc/passwd",
    ".ssh/id",
    "x\0.png",
    "a\nb",
    "con",
    "..",
    ".",
    "x.png/../../y",
    "$HOME/x",
    "`id`",
    "*",
    "x/",
    "|x",
    " ",
)


def test_no_prompt_leads_out_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 paths: each is the name of one file in the folder, whatever the pattern."""
    inside = tmp_path / "a" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    ways = [way * depth + target for way, target, depth in itertools.product(WAYS, TARGETS, (1, 2, 7))]
    image = encoded()
    for number, way in enumerate(ways):
        fox = generation(image, prompt=way, model=way, seed=number)
        paths = [*fox.save(f"{{prompt}}-{number}.png"), *fox.save("{model}-{seed}-x.png"), *fox.save("all/")]
        assert {path.resolve().parent for path in paths} <= {inside, inside / "all"}, way
        assert not set(make_slug(way)) & set('/\\:*?"<>|.~$\0\n'), way
    assert {path.name for path in tmp_path.rglob("*") if path.is_dir()} == {"a", "inside", "all"}
    assert len(list(inside.glob("*.png"))) == 2 * len(ways)
    assert len(list((inside / "all").iterdir())) == len(ways)
