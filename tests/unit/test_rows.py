"""Tables as requests: files of prompts and data frames."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import flux_magic
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.rows import RowTable, build_frame
from flux_magic.client.tables import read_rows
from flux_magic.errors import Incomplete, InvalidRequest
from flux_magic.parameters.settings import Settings
from flux_magic.types import ImageRequest
from tests.unit.scripted import installed

CSV = "\ufeffprompt,Negative Prompt,STEPS,size,set.shift,animal\n"


def read(folder: Path, name: str, text: str, prompt: str = "", **options: Any) -> tuple[RowTable, list[ImageRequest]]:
    (folder / name).write_text(text, "utf-8")
    table = RowTable(*read_rows(folder / name), options, prompt)
    return table, [table.build(row).request for row in table.rows]


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        pytest.param("p.txt", "a fox\r\n\n  a hen \n", [("line 1", "a fox"), ("line 3", "a hen")], id="lines"),
        pytest.param("p.md", "a, b\n", [("line 1", "a, b")], id="any other file"),
        pytest.param("p.csv", 'prompt\n"a\nfox"\n\na hen\n', [("line 2", "a\nfox"), ("line 5", "a hen")], id="quoted"),
        pytest.param("p.csv", "prompt;seed\na, b;1\n", [("line 2", "a, b")], id="semicolons"),
        pytest.param("p.txt", "a\u2028b\x0cc\rd\n", [("line 1", "a\u2028b\x0cc"), ("line 2", "d")], id="line ends"),
        pytest.param("p.jsonl", '{"prompt": "a\u2028b"}\n', [("line 1", "a\u2028b")], id="a line end in a string"),
        pytest.param("p.tsv", "seed\tprompt\n1\ta, b\n", [("line 2", "a, b")], id="tabs"),
        pytest.param(
            "p.jsonl", '"a fox"\n\n{"Prompt": "a hen"}', [("line 1", "a fox"), ("line 3", "a hen")], id="JSON"
        ),
        pytest.param("p.json", '[{"prompt": 3}]', [("item 1", "3")], id="a list, and a number"),
    ],
)
def test_each_form_is_rows(name: str, text: str, rows: list[tuple[str, str]], tmp_path: Path) -> None:
    table, requests = read(tmp_path, name, text)
    assert [(row.name, one.prompt) for row, one in zip(table.rows, requests, strict=True)] == rows


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("p.csv", b'sep=;\r\nprompt;seed\r\n"a\r\nfox";1\r\na hen;2\r\n', id="the first line of Excel"),
        pytest.param("p.csv", '\ufeff\nprompt,seed\n"a\nfox",1\na hen,2\n'.encode("utf-16-le"), id="UTF-16"),
        pytest.param("p.txt", '\ufeffprompt\tseed\n"a\nfox"\t1\n\na hen\t2\n'.encode("utf-16-be"), id="Unicode Text"),
    ],
)
def test_tables_of_excel_are_read(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    rows, columns = read_rows(tmp_path / name)
    assert columns == ["prompt", "seed"]
    assert [(row.values["prompt"].split()[1], row.values["seed"]) for row in rows] == [("fox", "1"), ("hen", "2")]
    assert [row.name[-1] for row in rows] == (["2", "5"] if name == "p.txt" else ["3", "5"])


def test_a_line_with_a_mistake_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "a"}\n{"prompt":\n3\n{"prompt": "b", "seed": "x"}\n"c"\n')
    table = RowTable(*read_rows(tmp_path / "p.jsonl"), {})
    built = [one.message if isinstance(one, InvalidRequest) else one.request.prompt for one in table.build_all()]
    assert built == [
        "a",
        "line 2 is no JSON at character 11: Expecting value",
        'line 3 is 3: give an object, as in {"prompt": "a fox"}',
        built[3],
        "c",
    ]
    assert built[3].startswith("line 4: seed x: ")
    assert table.find_twins([1, 2, 3, 4, 1]) == {}
    again = RowTable([*table.rows, *table.rows], ["prompt"], {})
    assert again.find_twins([1, 2, 3, 4, 5, 1, 0, 0, 4, 6])[5] == 0
    assert 9 not in again.find_twins([1, 2, 3, 4, 5, 1, 0, 0, 4, 6])


def test_columns_are_parameters_and_what_is_left_out_is_inherited(tmp_path: Path) -> None:
    text = CSV + 'a {animal},"blurry, text",4.0,512x256,3.5,fox\n{{a}} {animal} {place},,,,,hen\n'
    table, (fox, hen) = read(tmp_path, "p.csv", text, steps=9, seed=7, parameters={"shift": 1, "mode": "x"})
    assert (fox.prompt, fox.typed, fox.steps, fox.width, fox.height) == ("a fox", "a {animal}", 4, 512, 256)
    assert dict(fox.parameters) == {"negative_prompt": "blurry, text", "shift": 3.5, "mode": "x"}
    assert (hen.prompt, hen.steps, hen.width, hen.seed) == ("{a} hen {place}", 9, 768, 7)
    assert dict(hen.parameters) == {"shift": 1, "mode": "x"}
    assert (table.check_columns(), table.list_unfilled()) == ([], ["place"])
    _, (owl,) = read(tmp_path, "q.csv", "what\nowl\n", "an {what}", seed=1)
    assert owl.prompt == "an owl"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        pytest.param("p.csv", "prompt,steps\na,x\n", "line 2: steps x: give a whole number from 1 up", id="a value"),
        pytest.param("p.csv", "prompt,seed\na,1..3\n", "line 2: seed 1..3: give one value in a cell", id="several"),
        pytest.param("p.csv", "prompt,size\n,8x8\n", "line 2: the prompt is empty", id="no prompt"),
        pytest.param("p.csv", "prompt,a\nno {a},\n", "line 2: {a} of the prompt is an empty cell", id="an empty cell"),
        pytest.param("p.csv", "prompt,model\na,fluxx\n", "line 2: there is no model 'fluxx'", id="a model"),
        pytest.param("p.csv", "prompt,space\na,a b\n", "line 2: ", id="a Space"),
        pytest.param("p.csv", "prompt\na,b\n", "line 2 has 2 cells, for 1 column: put", id="too many cells"),
        pytest.param("p.csv", 'prompt\n"a\n', "line 2: a quote that opens in it is not closed", id="an open quote"),
        pytest.param("p.csv", 'prompt\na\n"b\nc\n"d"\n', "line 3: a quote that opens in it is", id="closed too late"),
        pytest.param("p.csv", "prompt\na\0b\n", "line 2", id="NUL"),
        pytest.param("p.csv", "prompt,Token\na,b\n", "the column Token is a secret, which belongs in", id="token"),
        pytest.param("p.csv", "prompt,seeed\na,b\n", "seed? Give it another name, also if", id="a slip in seed"),
        pytest.param("p.csv", "prompt,PROMPT\na,b\n", "two columns are prompt", id="twice"),
        pytest.param("p.csv", "prompt\n", "has no row", id="no row"),
        pytest.param("p.csv", "prompt,stpes\na,1\n", "the column stpes is no parameter: did you mean steps", id="slip"),
        pytest.param("p.csv", "text\na\n", "there is no column prompt among text", id="another name"),
        pytest.param("p.jsonl", '{"prompt": "a"}\n{', "line 2 is no JSON", id="half a line"),
        pytest.param("p.jsonl", '{"prompt": ["a"]}', "line 1: prompt is ['a']: give one string in a row", id="a list"),
        pytest.param("p.jsonl", '{"prompt": "a", "set": {"b": 1}}', 'line 1: set is an object: call it "par', id="set"),
        pytest.param("p.jsonl", "3\n", "line 1 is 3: give an object", id="a number"),
        pytest.param("p.jsonl", '{"prompt": "a", "parameters": 3}', "line 1: parameters is 3", id="no mapping"),
        pytest.param("p.json", "", "has no row", id="empty"),
    ],
)
def test_a_mistake_is_named_with_its_line(name: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as raised:  # noqa: PT012 - columns are checked before the rows
        (tmp_path / name).write_text(text)
        table = RowTable(*read_rows(tmp_path / name), {"store": False})
        table.check_columns()
        for row in table.rows:
            table.build(row)
    assert words in str(raised.value)


def test_what_is_no_file_of_prompts_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a f\xf6x")
    said = {"latin": "is not UTF-8 at byte 3", "no": "No such file", ".": "cannot read"}
    for name, words in said.items():
        with pytest.raises(InvalidRequest, match=words):
            read_rows(tmp_path / name)


def test_a_data_frame_is_made_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    frame = pd.DataFrame(
        {
            "prompt": ["a {animal} no. {steps}"] * 4,
            "animal": ["fox", "hen", None, "owl"],
            "Steps": [2, 4, 3, 0],
            "seed": [5, 6, 7, None],
            "digest": list("abcd"),
        },
        index=list("wxyz"),
    )
    table = flux_magic.generate_many(frame, size="64x64").to_pandas()
    assert list(table.index) == list("wxyz")
    assert list(table.columns[:7]) == [
        "prompt (given)", "animal", "Steps", "seed (given)", "digest (given)", "prompt", "seed"
    ]  # fmt: skip
    assert list(table["digest (given)"]) == list("abcd")
    assert list(table["prompt"][:2]) == ["a fox no. 2", "a hen no. 4"]
    assert (list(table["seed"][:2]), str(table["seed"].dtype)) == ([5, 6], "Int64")
    assert list(table["error"].fillna("")) == [
        "", "", "row 2: {animal} of the prompt is an empty cell: fill it in, or write {{animal}}",
        "row 3: steps is 0: give a whole number from 1 up",
    ]  # fmt: skip
    with pytest.raises(Incomplete, match=r"2 of 4 images failed; the first: row 2: \{animal\} of the prompt"):
        list(flux_magic.generate_many(frame, size="64x64"))

    async def make() -> list[int | None]:
        return [one.seed async for one in AsyncClient(size="64x64").generate_many(frame[:2])]

    assert sorted(asyncio.run(make())) == [5, 6]  # type: ignore[type-var]  # each was given one
    plain = flux_magic.generate_many([ImageRequest("a", seed=3), ImageRequest("b", seed=2)]).to_pandas()
    assert (list(plain["seed"]), list(plain.index)) == ([3, 2], [0, 1])


def test_prompts_and_dicts_are_requests_too(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    mixed: list[Any] = ["a fox", {"Prompt": "a {animal}", "animal": "hen", "seed": 4}, ImageRequest("an owl", seed=3)]
    made = flux_magic.generate_many(mixed, size="64x64").to_pandas()
    assert list(made["prompt"]) == ["a fox", "a hen", "an owl"]
    assert list(made["seed"][1:]) == [4, 3]
    failed = flux_magic.generate_many(["a fox", {"prompt": "b", "sed": 1}], size="64x64").to_pandas()
    assert failed["error"][1].startswith("request 1: the column sed is no parameter: did you mean seed?")
    for frame, words in {
        pd.DataFrame: "the table has no columns",
        lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])): "several levels",
    }.items():
        with pytest.raises(InvalidRequest, match=words):
            flux_magic.generate_many(frame())


class Polars:
    """The two things of a polars frame that are used."""

    columns = ("prompt", "seed")

    def to_dicts(self) -> list[dict[str, object]]:
        return [{"prompt": "a", "seed": 1}, {"prompt": "b", "seed": None}]


def test_rows_come_from_polars_too_and_keep_their_settings() -> None:
    built = list(build_frame(Polars(), {"steps": 3, "replay": "off"}, {"image": "fox.png"}))
    assert [one.request.prompt for one in built if not isinstance(one, InvalidRequest)] == ["a", "b"]
    first = built[0]
    assert not isinstance(first, InvalidRequest)
    assert isinstance(first.settings, Settings)
    assert (first.request.steps, first.settings.replay, first.images) == (3, "off", {"image": "fox.png"})
    assert (first.request.width, first.has_place) == (None, False)
    assert json.loads(read_key({"b": 1, "a": "x"})) == {"a": "x", "b": 1}


def read_key(values: dict[str, object]) -> str:
    from flux_magic.client.tables import Row

    return Row("row 0", values).key
