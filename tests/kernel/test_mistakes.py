"""Bad input in a real kernel: one line that helps, a failed cell, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import hasty
from tests.support.kernel import Kernel

LOG_ALL = (
    "import logging; root = logging.getLogger(); before = root.handlers[:], root.level; logging.basicConfig(level=0)"
)
LOG_AS_BEFORE = "root.handlers[:], level = before; root.setLevel(level)"
PANEL_TAKES = (
    "--steps --seed --size --width --height --guidance --negative --strength --endpoint --set "
    "--image --mask --count --model --provider --space --new"
)


DESCRIPTION = """
from flux_magic.parameters.table import Parameter
from flux_magic.providers.base import ModelDescription
width = Parameter(name="width", help="", least=256, most=2048, default=768, multiple_of=8)
description = ModelDescription("flux", "Space", parameters=(width,))
"""


@pytest.fixture(autouse=True)
def kept(kernel: Kernel) -> Iterator[None]:
    """Yield the name that `--output` gives keeps its value, whatever goes wrong."""
    kernel.run_ok("fox = 'kept'\nfrom pathlib import Path\nPath('mine.png').write_bytes(b'')")
    yield
    assert kernel.run_ok("print(fox)").stdout == "kept\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("%%flux --step 4\nx", "did you mean --steps", id="unknown-option"),
        pytest.param("%%flux --steps 0\nx", "a whole number from 1", id="no-steps"),
        pytest.param("%%flux --steps\nx", "--steps needs a value, for example --steps 4", id="value-missing"),
        pytest.param("%%flux --size big\nx", "--size 1024x768", id="size-in-words"),
        pytest.param("%%flux --size 64x64\nx", "this Space takes 256 to 2048", id="size-too-small"),
        pytest.param("%%flux --width 4096\nx", "this Space takes 256 to 2048", id="width-too-large"),
        pytest.param("%%flux --steps 51\nx", "this Space takes 1 to 50", id="more-steps-than-the-space-takes"),
        pytest.param("%%flux --size 512x512 --width 256\nx", "set the same thing twice", id="size-twice"),
        pytest.param("%%flux --seed 2147483648\nx", "0 to 2147483647", id="seed-too-large"),
        pytest.param("%%flux --seed -1\nx", "0 to 2147483647", id="seed-below-zero"),
        pytest.param("%%flux -n 2 --seed 2147483647\nx", "run past 2147483647", id="seeds-run-past"),
        pytest.param("%%flux -n 17\nx", "--yes", id="too-many"),
        pytest.param("%%flux\n", "the cell body is empty", id="empty-body"),
        pytest.param("%%flux\n   \n", "the prompt is empty", id="blank-body"),
        pytest.param("%flux", "the prompt is empty", id="empty-line"),
        pytest.param("%%flux a fox\nanother fox", "in two places", id="prompt-in-two-places"),
        pytest.param("%%flux --output 2fox\nx", "a name that Python takes", id="output-no-name"),
        pytest.param("%%flux --output class\nx", "a reserved word of Python", id="output-a-keyword"),
        pytest.param("%%flux --output fox --model sdxl\nx", "choose one of flux-schnell, flux", id="model"),
        pytest.param("%%flux --space ftp://x\nx", "a Hugging Face id such as", id="space"),
        pytest.param("%%flux --proxy nowhere\nx", "http://proxy.example:3128", id="proxy"),
        pytest.param("%%flux --inline gif\nx", "png, jpeg, link", id="inline"),
        pytest.param("%%flux --save fox.gif\nx", ".png, .jpg, .jpeg, .webp", id="save-suffix"),
        pytest.param("%%flux -n 2 --save fox.png\nx", "give a folder", id="save-two-as-one"),
        pytest.param("%%flux --save mine.png\nx", "this file already exists", id="save-onto-another"),
        pytest.param("%%flux --timeout 0\nx", "seconds above 0", id="timeout"),
        pytest.param("%flux a fox --steps 4", "options come first, %flux --steps 4 a fox", id="options-behind"),
        pytest.param("%flux_panel a fox --steps 4", "first, %flux_panel --steps 4 a fox", id="panel-behind"),
        pytest.param("%flux_panel --step 4", "UsageError: unknown option --step: did you mean --steps?", id="panel"),
        pytest.param(
            "%flux_panel --bogus", f"UsageError: unknown option --bogus: There are {PANEL_TAKES};", id="panel-bogus"
        ),
        pytest.param("%flux_panel --save x a fox", "UsageError: %flux_panel takes no --save", id="panel-save"),
        pytest.param(
            "%flux_panel --model nope", "UsageError: there is no model 'nope': choose one of", id="panel-model"
        ),
        pytest.param("%flux_panel -n 40", "UsageError: count is 40: give a whole number from 1 to 16", id="panel-n"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(kernel: Kernel, code: str, said: str) -> None:
    cell = kernel.run(code.replace("%%flux", "%%flux --output fox", 1) if "--output" not in code else code)
    assert cell.status == "error"
    lines = [line for line in (cell.stderr + cell.traceback).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert said in lines[0]
    assert not cell.outputs


OBJECTS = """
import flux_magic
from flux_magic.providers import BlackForestLabs_Flux1Schnell as Flux
image = flux_magic.generate("a fox", seed=1, width=256, height=256, quiet=True)
foxes = flux_magic.sweep("a fox", seed=[1, 2], width=256, height=256, quiet=True)
"""


@pytest.fixture(scope="module")
def at_work(kernel: Kernel) -> Kernel:
    """Return the same kernel, with an image, a sweep and a panel that knows its Space's bounds."""
    kernel.run_ok(OBJECTS)
    kernel.run_ok(DESCRIPTION)
    kernel.run_ok("panel = flux_magic.Panel()\npanel.learn(description)")
    return kernel


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("panel.width = 10", "InvalidTrait: width is 10: this Space takes 256 to 2048"),
        ("panel.width = 'x'", "InvalidTrait: width is 'x': give a whole number from 8 up"),
        ("panel.prompt = 5", "InvalidTrait: The 'prompt' trait of a Panel instance expected a unicode string"),
        ("panel.count = 99", "InvalidTrait: count is 99: give a whole number from 1 to 16"),
        ("panel.model = 'flx'", "InvalidTrait: there is no model 'flx': choose one of"),
        ("panel.generation = 3", "InvalidTrait: The 'generation' trait of a Panel instance expected a Generation"),
        ("with panel.hold_trait_notifications(): panel.steps = 0", "InvalidTrait: steps is 0: give a whole number"),
        ("import ipywidgets; ipywidgets.link((panel, 'count'), (ipywidgets.IntSlider(99), 'value')); panel.count = 0",
         "InvalidTrait: count is 0"),
        ("panel.set_trait('width', 3)", "InvalidTrait: width is 3: give a whole number from 8 up"),
        ("flux_magic.genrate('x')", "UnknownAttribute: module 'flux_magic' has no attribute 'genrate': did you"),
        ("panel.wait('x')", "InvalidArgument: timeout is 'x': give seconds"),
        ("panel.generate(3)", "InvalidArgument: generate() takes nothing by position"),
        ("panel.compare()", "the prompt is empty"),
        ("flux_magic.Panel(prompts='x')", "InvalidArgument: a Panel has no option prompts"),
        ("flux_magic.Panel('a fox')", "a prompt is given as Panel(prompt=…)"),
        ("flux_magic.Panel(width=3)", "InvalidTrait: width is 3: give a whole number from 8 up"),
        ("flux_magic.Panel(prompt=3)", "InvalidTrait: The 'prompt' trait"),
        ("flux_magic.Panel(image, image)", "InvalidArgument: Panel() takes generation by position"),
        ("flux_magic.generate(stepz=3)", "InvalidArgument: generate() has no argument stepz: did you mean steps? It "),
        ("flux_magic.generate()", "InvalidArgument: generate() missing 1 required positional argument: 'prompt'"),
        ("flux_magic.generate('a fox', 4)", "InvalidArgument: generate() takes prompt by position: give the rest"),
        ("flux_magic.generate('a fox', proxy=3)", "InvalidArgument: proxy is not a string"),
        ("flux_magic.generate('a fox', token=3)", "InvalidArgument: token is not a string"),
        ("flux_magic.sweep('a fox', x=['a'])", "InvalidArgument: unknown option: x, and the prompt has no {x}"),
        ("flux_magic.sweep(steps=[1, 2])", "InvalidArgument: sweep() missing 1 required positional argument: 'prompt'"),
        ("flux_magic.generate_many([], foo=1)", "InvalidArgument: generate_many() has no argument foo: It takes"),
        ("list(flux_magic.generate_many([3]))", "InvalidRequest: a request is 3"),
        ("list(flux_magic.generate_many(3))", "InvalidRequest: the requests are 3"),
        ("flux_magic.recall(5)", "InvalidArgument: image is 5: give the path of a file or a folder"),
        ("flux_magic.recall()", "InvalidArgument: recall() missing 1 required positional argument: 'image'"),
        ("flux_magic.run(3)", "InvalidArgument: 3 is not a coroutine"),
        ("flux_magic.cancel_all(3)", "InvalidArgument: cancel_all() takes 0 positional arguments"),
        ("flux_magic.AsyncClient(foo=1)", "InvalidArgument: AsyncClient() has no argument foo: It takes"),
        ("flux_magic.Client(3)", "InvalidArgument: Client() takes nothing by position: give the rest by name"),
        ("await flux_magic.AsyncClient().generate('a fox', foo=1)", "InvalidArgument: generate() has no argument foo"),
        ("async with flux_magic.Client(): pass", "InvalidArgument: a Client blocks: write async with flux_magic.Async"),
        ("await flux_magic.AsyncClient().generate()", "InvalidArgument: generate() missing 1 required"),
        ("flux_magic.ImageRequest('')", "InvalidRequest: the prompt is empty"),
        ("flux_magic.ImageRequest('a fox', sed=1)", "InvalidArgument: ImageRequest() has no argument sed: did you"),
        ("foxes.sel(sed=3)", "NotInSweep: this sweep has no axis 'sed': did you mean seed?"),
        ("foxes.sel(3)", "InvalidArgument: 3 names no axis: give, for example, sel(seed=3)"),
        ("foxes[99]", "OutOfRange: there is no image 99: there are 2, counted from 0"),
        ("foxes['x']", "InvalidArgument: 'x' is neither a position nor a slice"),
        ("foxes.save(3)", "InvalidArgument: path is 3: give the path of a file or a folder"),
        ("flux_magic.Generations(3)", "InvalidArgument: the items are 3: give a list of generations"),
        ("flux_magic.Generations([image], places=[])", "InvalidRequest: 1 generations do not fit 0 of 1 places"),
        ("image.save(3)", "InvalidArgument: path is 3: give the path of a file or a folder"),
        ("image.save('x', overwrit=True)", "InvalidArgument: save() has no argument overwrit: did you mean over"),
        ("from flux_magic.verify import check_static; check_static(5)", "InvalidArgument: paths is 5"),
        ("from flux_magic.verify import check_static; check_static([5])", "InvalidArgument: path is 5"),
        ("type('Mine', (Flux,), {'parameters': {'words': 'wrds'}})", "InvalidArgument: Mine.parameters: no wrds"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_call_is_one_to_three_lines_and_no_traceback(at_work: Kernel, call: str, said: str) -> None:
    cell = at_work.run(call)
    assert cell.status == "error"
    lines = [line for line in (cell.stderr + cell.traceback).splitlines() if line.strip()]
    assert len(lines) <= 3, lines
    assert said in lines[0]


def test_run_all_stops_at_a_mistake(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run_ok(f"from pathlib import Path; import time; reached, go = False, Path({str(tmp_path / 'go')!r})")
    kernel.send("while not go.exists():\n    time.sleep(0.1)\ntime.sleep(1)")  # until both that follow are there
    first, second = kernel.send("%%flux --steps 0\nx"), kernel.send("reached = True")
    (tmp_path / "go").touch()
    assert kernel.wait(first).status == "error"
    assert kernel.wait(second).status == "aborted"
    assert kernel.run_ok("print(reached)").stdout == "False\n"


def test_a_space_that_is_not_there_is_an_error_of_a_few_lines(kernel: Kernel) -> None:
    cell = kernel.run("%%flux --output fox --space http://127.0.0.1:9\nx")
    assert cell.status == "error"
    assert "ConnectionFailed: no connection to 127.0.0.1:9" in cell.traceback
    assert cell.traceback.count("\n") < 3
    assert kernel.run("%tb").traceback.count("\n") < 3


@pytest.fixture
def _hasty(kernel: Kernel) -> None:
    """From now on the kernel does not wait before it tries again."""
    kernel.run_ok(hasty.CODE)


@pytest.mark.usefixtures("_hasty")
def test_verbose_errors_show_where_it_happened(kernel: Kernel) -> None:
    kernel.run_ok("%config FluxMagics.verbose_errors = True")
    try:
        cell = kernel.run("%%flux --output fox --space http://127.0.0.1:9\nx")
    finally:
        kernel.run_ok("%config FluxMagics.verbose_errors = False")
    assert re.search(r'File ".*connection\.py", line \d+', cell.traceback)


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("verbose", [False, True])
def test_a_proxys_password_and_a_token_are_shown_nowhere(kernel: Kernel, space: str, *, verbose: bool) -> None:
    kernel.run_ok(f"{LOG_ALL}\n%config FluxMagics.verbose_errors = {verbose}")
    proxy = "http://user:hunter2@127.0.0.1:9"
    kernel.run_ok('%config FluxMagics.token = "hf_canary123"')
    cell = kernel.run(f"%%flux --output fox --proxy {proxy} --space http://example.org\nx")
    assert cell.status == "error"
    kernel.run_ok(f'%config FluxMagics.proxy = "{proxy}"')
    try:
        shown = kernel.run_ok("%config FluxMagics.proxy"), kernel.run_ok("%config FluxMagics")
        failed = kernel.run("%%flux --output fox --space http://example.org\nx")
    finally:
        kernel.run_ok("%config FluxMagics.proxy = None\n%config FluxMagics.verbose_errors = False")
        status = kernel.run_ok(f"%flux_status {space}"), kernel.run_ok("%config FluxMagics.token")
        repeated = kernel.run("%tb")
        kernel.run_ok(f"%config FluxMagics.token = None\n{LOG_AS_BEFORE}")
    assert failed.status == "error"
    for part in (cell, failed, repeated, *shown, *status):
        everything = f"{part.stdout}{part.stderr}{part.traceback}{part.error}{part.outputs}{part.updates}"
        assert "hunter2" not in everything
        assert "canary" not in everything


def test_a_limit_that_is_reached_is_named(kernel: Kernel, slow_space: str) -> None:
    cell = kernel.run(f"%%flux --output fox --timeout 0.5 --steps 20 --space {slow_space} --quiet\nx")
    assert "TimedOut: no image within 0.5 s" in cell.traceback
    assert "--timeout" in cell.traceback
