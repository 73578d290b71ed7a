"""A magic's result in a real kernel: shown once wherever the line runs, and with the names of that place."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.kernel import Cell, Kernel, run_kernel

SEED = re.compile(r"<flux \S+ seed=(\d+) ")
SETUP = """
%load_ext flux_magic
%config FluxMagics.width = 256
%config FluxMagics.height = 256
%alias_magic draw flux
from contextlib import nullcontext
from threading import Thread
def say(text): display({'text/plain': str(text)}, raw=True)
"""


@pytest.fixture(scope="module")
def kernel(space: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Yield one whose images are small, and come from a store if they can; `say` is an output between them."""
    folder = tmp_path_factory.mktemp("notebooks")
    store = {"FLUX_MAGIC_STORE": str(folder / "store"), "FLUX_MAGIC_REPLAY": "auto"}
    with run_kernel(folder, FLUX_MAGIC_SPACE=space, **store) as running:
        running.run_ok(SETUP)
        yield running


def spelled(short: str) -> str:
    """Return `%flux 1` is a line that makes an image of the seed 1, and `CALL(1)` is that line in Python."""
    line = r"--quiet --seed \1 a fox"
    lines = re.sub(r"(?<=%flux |%draw )(\d)", line, short)
    return re.sub(r"CALL\((\w)\)", rf"get_ipython().run_line_magic('flux', '{line}')", lines)


def seen(cell: Cell) -> str:
    """Return the outputs in order: an image's seed, and words as they are. Each image has its parameters behind it."""
    texts = [output["data"].get("text/plain", "") for output in cell.outputs if output["data"]]
    found = [image[1] if (image := SEED.match(text)) else text for text in texts]
    assert [bool(SEED.match(text)) for text in texts[:-1]] == [text.startswith("prompt  ") for text in texts[1:]]
    return " ".join(text for text in found if not text.startswith("prompt  "))


@pytest.fixture(scope="module", params=["last_expr", "all"])
def interactivity(kernel: Kernel, request: pytest.FixtureRequest) -> Iterator[None]:
    """Which of a cell's values IPython prints."""
    kernel.run_ok(f"%config InteractiveShell.ast_node_interactivity = '{request.param}'")
    yield
    kernel.run_ok("%config InteractiveShell.ast_node_interactivity = 'last_expr'")


@pytest.mark.usefixtures("interactivity")
@pytest.mark.parametrize(
    ("short", "expected"),
    [
        pytest.param("%flux 1", "1", id="the last line"),
        pytest.param("%flux 1\n%flux 2", "1 2", id="two lines"),
        pytest.param("%flux 1\nsay('-')", "1 -", id="a call behind it"),
        pytest.param("%flux 1\nx = 1", "1", id="an assignment behind it"),
        pytest.param("%flux -n 2 --seed 1 --quiet a fox\nsay('-')", "1 2 -", id="two images of a line"),
        pytest.param("%flux -n 2 --seed 1 --quiet a fox", "1 2", id="two images of the last line"),
        pytest.param("x = %flux -n 2 --seed 1 --quiet a fox\nx", "1 2", id="two images of a name"),
        pytest.param("%flux -n 2 --seed 1 --quiet --output x a fox;\nx", "1 2", id="two images that come later"),
        pytest.param("for n in (1, 2):\n    %flux --quiet --seed {n} a fox\n    say('-')", "1 - 2 -", id="for"),
        pytest.param("n = 0\nwhile n < 2:\n    n += 1\n    %flux --quiet --seed {n} a fox", "1 2", id="while"),
        pytest.param("if 1:\n    %flux 1\nelse:\n    %flux 2", "1", id="if"),
        pytest.param("with nullcontext():\n    %flux 1", "1", id="with"),
        pytest.param("try:\n    %flux 1\n    1 / 0\nexcept ZeroDivisionError:\n    %flux 2", "1 2", id="try"),
        pytest.param("def f():\n    %flux 1\nf()\nf()", "1 1", id="a function"),
        pytest.param("class Fox:\n    %flux 1", "1", id="a class"),
        pytest.param("async def f():\n    %flux 1\nawait f()\n%flux 2\nsay('-')", "1 2 -", id="await"),
        pytest.param("def f(): return CALL(1)\nf()\nsay('-')", "1 -", id="a function's value is dropped"),
        pytest.param("def f(): return CALL(1)\nf()", "1", id="a function's value is printed"),
        pytest.param("def f(): return CALL(1)\nx = f()", "", id="a function's value is assigned"),
        pytest.param('exec("CALL(1)")\nsay("-")', "1 -", id="exec"),
        pytest.param("%draw 1\nsay('-')", "1 -", id="an alias"),
        pytest.param("%draw 1", "1", id="an alias in the last line"),
        pytest.param("%time %flux 1\nsay('-')", "1 -", id="a magic in a magic"),
        pytest.param("%%time\n%flux 1\n%flux 2", "1 2", id="a cell magic around two lines"),
        pytest.param("%timeit -n1 -r2 %flux 1", "1 1", id="timeit"),
        pytest.param("%prun -q %flux 1", "1", id="prun"),
        pytest.param(
            "done = get_ipython().run_cell('%flux --quiet --seed 1 a\\nx = 2')\nsay('-')", "1 -", id="run_cell"
        ),
        pytest.param("get_ipython().run_cell('%flux --quiet --seed 1 a');", "1", id="a silenced run_cell"),
        pytest.param("get_ipython().run_cell_magic('flux', '--quiet --seed 1', 'a')\nsay('-')", "1 -", id="a body"),
        pytest.param("%%flux --quiet --seed 1\na fox;", "1", id="a body that ends in a semicolon"),
        pytest.param("get_ipython().find_line_magic('flux')('--quiet --seed 1 a')\nsay('-')", "1 -", id="the method"),
        pytest.param("one = Thread(target=lambda: CALL(1))\none.start(); one.join()", "1", id="a thread"),
        pytest.param("x = %flux 1", "", id="assigned"),
        pytest.param("x, y = %flux -n 2 --seed 1 --quiet a fox\nsay(y.seed)", "2", id="unpacked"),
        pytest.param("x = [0]\nx[0] = %flux 1", "", id="assigned to an item"),
        pytest.param("x = []\nx.append(CALL(1))\nsay(x[0].seed)", "1", id="an argument"),
        pytest.param("x = %time %flux 1", "", id="assigned through a magic"),
        pytest.param("x = %flux 1;\nsay(x.seed)", "1", id="assigned with a semicolon"),
        pytest.param("%flux 1;", "", id="a semicolon"),
        pytest.param("%flux 1;\n%flux 2 ; \nsay('-')", "-", id="two semicolons"),
        pytest.param("%flux 1\nfor a in 'a':\n    %flux 2;", "1", id="a semicolon in a loop"),
        pytest.param("%%flux --quiet --seed 1;\na fox", "", id="a semicolon on a cell's line"),
        pytest.param("CALL(1);", "", id="a semicolon of Python's"),
    ],
)
def test_an_image_is_shown_once_wherever_its_line_runs(kernel: Kernel, short: str, expected: str) -> None:
    assert seen(kernel.run_ok(spelled(short))) == expected


def test_a_semicolon_of_another_line_hides_nothing(kernel: Kernel) -> None:
    kernel.run_ok("%config InteractiveShell.ast_node_interactivity = 'all'")
    assert seen(kernel.run_ok(spelled("%flux 1\nx = 1;"))) == "1"
    kernel.run_ok("%config InteractiveShell.ast_node_interactivity = 'last_expr'")


def test_the_value_is_the_image_and_is_shown_again_where_it_is_named(kernel: Kernel) -> None:
    kernel.run_ok(spelled("x = %flux 7\n%flux 8"))
    values = "type(x).__name__, x.prompt, _.seed, Out[max(Out)] is _"
    assert kernel.run_ok(f"print({values})").stdout == "Generation a fox 8 True\n"
    assert [seen(kernel.run_ok(name)) for name in ("x", "_", "x", "display(x)")] == ["7", "7", "7", "7"]
    kernel.run_ok(spelled("%flux 9;"))
    assert kernel.run_ok("print(_.seed)").stdout == "7\n"


def test_capture_gets_every_image(kernel: Kernel) -> None:
    assert seen(kernel.run_ok(spelled("%%capture taken\n%flux 1\n%flux 2\nx = 1"))) == ""
    assert kernel.run_ok("print(sum('image/png' in one.data for one in taken.outputs))").stdout == "2\n"


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        pytest.param("%flux_history --last 1\nsay('-')", "-", id="history"),
        pytest.param("%flux_panel a fox\nsay('-')", "-", id="panel"),
        pytest.param("%flux_verify --static store;\nsay('-')", "-", id="verify with a semicolon"),
    ],
)
def test_what_the_other_magics_give_is_shown_as_well(kernel: Kernel, short: str, expected: str) -> None:
    kernel.run_ok(spelled("%flux 1"))
    *shown, last = kernel.run_ok(short).outputs
    assert last["data"]["text/plain"] == expected
    assert len([one for one in shown if one["data"]]) == (0 if ";" in short else 1)


NAMES = """
place, kind, seeds, number = 'the notebook', 'wolf', [1, 2], 5
def told(generation): say(f'{generation.prompt} {generation.seed}')
def inner(place, number):
    x = %flux --quiet --seed {number} a {kind} in {place}, {nowhere}
    told(x)
    kept = 'kept'
    def inmost(number=9):
        kept
        x = %flux --quiet --seed {number} a {kept} fox in {place}
        told(x)
    inmost()
inner('the function', 3)
x = %flux --quiet --seed {number} a {kind} in {place}
told(x)
"""


def test_names_are_those_where_the_line_runs(kernel: Kernel) -> None:
    cell = kernel.run_ok(NAMES)
    assert seen(cell).split(" 3 ")[0] == "a wolf in the function, {nowhere}"
    assert seen(cell) == ("a wolf in the function, {nowhere} 3 a kept fox in the notebook 9 a wolf in the notebook 5")
    assert ["{nowhere} sent as typed" in note for note in cell.notes] == [True]
