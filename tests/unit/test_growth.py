"""A prompt, typed or from a stranger's image, is read in linear time; a list is bounded before it is made."""

from __future__ import annotations

from contextlib import suppress

import pytest

from flux_magic.errors import InvalidRequest
from flux_magic.jupyter import cell
from flux_magic.parameters import grammar
from flux_magic.records.command import write_cell
from tests.support.growth import assert_linear

SIZE = 20_000
"""Characters; four times as many are read as well."""

UNITS = [
    "{", "|", "$", "}", "{a|b} ", "{{", "{|", "$a", "${a", "{a.b} ", "\\a{}{x.y}", "|{a}", "__a/", "__", "^{x.a}",
    " \u00ab", ' "', "\u201c", "\n", "--steps 4 ", '"a" --steps 4 ', "<lora:", "{1$$", "{0.1::a|", "{a|{", "steps=1 ",
]  # fmt: skip


@pytest.mark.parametrize(
    "shape",
    [
        *(pytest.param(lambda size, unit=unit: (unit * size)[:size], id=repr(unit)) for unit in UNITS),
        *(
            pytest.param(lambda size, one=one: "".join(part + "|" * (size // 4) for part in one), id=" bars ".join(one))
            for one in ("{{}", "{{", "{", "{1$", "{}{}")
        ),
        pytest.param(lambda size: "{1$$" + "a|" * (size // 2), id="a dynamic prompt without an end"),
    ],
)
def test_a_prompt_is_read_in_linear_time(shape: object) -> None:
    def read(text: str) -> None:
        for line in ("--sweep", ""):
            with suppress(InvalidRequest):
                cell.read(line, text, {"a": 1})
        write_cell(text)

    assert_linear(shape, read, SIZE)  # type: ignore[arg-type]


def test_a_list_of_ranges_is_counted_before_it_is_made() -> None:
    typed = ",".join(["0..9999"] * 1000)
    with pytest.raises(InvalidRequest, match=r"^--seed 0.*: 10000000 values are more than 10000"):
        grammar.parse_line(f"--seed {typed}")
