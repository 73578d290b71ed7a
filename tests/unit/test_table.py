"""One table in HTML, Markdown and plain text."""

from __future__ import annotations

import pytest

from flux_magic.results.table import Markup, Table, as_html, as_markdown, as_text

FACTS = Table((), (("seed", "4"), ("prompt", Markup("<pre>a\nfox</pre>", "a fox"))))
IMAGES = Table(("steps", "a|b"), (("1", "<b>"), ("20", "$x$\nmore")), has_names=False)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            as_html(FACTS, style="margin:0", cell="color:red"),
            '<table style="margin:0"><tbody><tr><th scope="row" style="color:red">seed</th><td style="color:red">4</td>'
            '</tr><tr><th scope="row" style="color:red">prompt</th><td style="color:red"><pre>a\nfox</pre></td></tr>'
            "</tbody></table>",
            id="names and values as HTML",
        ),
        pytest.param(
            as_html(Table(("n",), (("<1>",),)), between="\n"),
            '<table>\n<thead><tr><th scope="col">n</th></tr></thead>\n<tbody>\n<tr><th scope="row">&lt;1&gt;</th></tr>'
            "\n</tbody>\n</table>",
            id="a row a line as HTML",
        ),
        pytest.param(
            as_markdown(FACTS),
            "| | |\n|---|---|\n| **seed** | 4 |\n| **prompt** | a fox |",
            id="names and values as Markdown",
        ),
        pytest.param(
            as_markdown(IMAGES),
            "| steps | a\\|b |\n|---|---|\n| 1 | \\<b\\> |\n| 20 | <span>&#36;</span>x<span>&#36;</span> more |",
            id="columns as Markdown",
        ),
        pytest.param(as_text(FACTS), "seed    4\nprompt  a fox", id="names and values in plain text"),
        pytest.param(as_text(FACTS, least=8, gap=1), "seed     4\nprompt   a fox", id="a wider first column"),
        pytest.param(as_text(IMAGES), "steps  a|b\n1      <b>\n20     $x$\n       more", id="columns in plain text"),
        pytest.param(as_text(Table((), ())), "", id="no row"),
    ],
)
def test_a_table_is_written(written: str, expected: str) -> None:
    assert written == expected


def test_html_has_everything_escaped_and_nothing_for_mathjax() -> None:
    page = as_html(IMAGES)
    assert "<td>&lt;b&gt;</td>" in page
    assert "$x$&#10;more</code></td>" in page
