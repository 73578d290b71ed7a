"""The panel in a real kernel: what a cell shows of it, jobs behind it, presses as a page sends them."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from flux_magic.images import metadata
from tests.support import hasty
from tests.support.kernel import Cell, Kernel, run_kernel
from tests.support.limits import PATIENCE

WIDGET = "application/vnd.jupyter.widget-view+json"
ipykernel = tuple(int(part) for part in version("ipykernel").split(".")[:2])


@pytest.fixture
def panel(kernel: Kernel) -> Iterator[Kernel]:
    """Yield the kernel with a `panel` on view, for small images, and all that its status line has said in `told`."""
    kernel.run_ok("panel = %flux_panel --size 256x256 --seed 42 a red fox\npanel")
    until(kernel, "panel.at_hand.is_described")
    kernel.run_ok("told = []; panel._status.widget.observe(lambda _: told.append(panel._status.text), 'value')")
    yield kernel
    kernel.run_ok("panel.close()")


def model(kernel: Kernel, widget: str) -> str:
    return kernel.run_ok(f"print({widget}.model_id)").stdout.strip()


def press(kernel: Kernel, button: str, **how: Any) -> None:
    """Press a button of the panel's as a page does."""
    kernel.collect_messages(
        kernel.tell(model(kernel, button), {"method": "custom", "content": {"event": "click"}}, **how)
    )


def said(kernel: Kernel, code: str) -> str:
    return kernel.run_ok(f"print(({code}))").stdout.strip()


def until(kernel: Kernel, condition: str) -> None:
    """Wait for something that stays so once it is so in the kernel, between its cells."""
    end = time.monotonic() + PATIENCE
    while said(kernel, condition) != "True":
        assert time.monotonic() < end, said(kernel, "panel._status.text")
        time.sleep(0.05)


def until_told(kernel: Kernel, start: str, more: str = "") -> None:
    """Wait until the status line has said something that starts so, and has `more` in it, be it for a moment."""
    until(kernel, f"any(text.startswith({start!r}) and {more!r} in text for text in told)")


def slots(cell: Cell) -> list[str]:
    return [output["transient"]["display_id"] for output in cell.outputs if output.get("transient")]


def test_a_panel_is_a_widget_with_two_empty_outputs_below(panel: Kernel) -> None:
    cell = panel.run_ok("panel")
    assert set(cell.outputs[0]["data"]) == {WIDGET, "text/plain"}
    assert cell.outputs[0]["data"]["text/plain"] == (
        "Panel(prompt='a red fox', width=256, height=256, steps=2, seed=42)"
    )
    assert [output["data"] for output in cell.outputs[1:]] == [{}, {}]
    assert (cell.stdout, cell.stderr) == ("", "")


def shown(output: dict[str, Any]) -> dict[str, Any]:
    """Return what is on view, without the records inside an image, which say when it was made."""
    data = dict(output["data"])
    for kind in {"image/png", "image/jpeg"} & data.keys():
        data[kind] = metadata.remove_metadata(base64.b64decode(data[kind]))
    return data


def test_its_result_is_an_ordinary_image_and_its_parameters(panel: Kernel) -> None:
    below = slots(panel.run_ok("panel"))
    cell = panel.run_ok("panel.generate()\npanel.wait()")
    made = panel.run_ok("%flux --size 256x256 --seed 42 a red fox").outputs
    made = [output for output in made if output["data"]]  # without the bar's place, on a slow machine
    updates = {update["transient"]["display_id"]: update for update in cell.updates}
    assert list(updates) == below
    assert [shown(update) for update in updates.values()] == [shown(output) for output in made]
    run = updates[below[0]]["metadata"]["flux_magic"]["record"]["run"]
    assert (run["prompt"], run["seed"]) == ("a red fox", 42)
    assert updates[below[0]]["metadata"]["image/png"]["alt"] == "a red fox"
    # Shown once more, it has its result from the start.
    assert [shown(output) for output in panel.run_ok("panel").outputs[1:]] == [shown(output) for output in made]


def test_a_comparison_is_the_sheet_and_the_table_of_the_magic_and_fills_in(panel: Kernel, slow_space: str) -> None:
    below = slots(panel.run_ok("panel"))
    panel.run_ok(f"panel.space, panel.compare_seeds, panel.compare_steps = '{slow_space}', '1,2', '1,3'")
    cell = panel.run_ok("panel.compare(); print(panel.busy); panel.wait()")
    assert cell.stdout == "True\n"
    assert re.search(r"'[123] of 4 images; seed \d, steps \d: .+?'", said(panel, "told"))
    assert re.search(r"[123] of 4 images", str([update["metadata"] for update in cell.updates]))
    updates = {update["transient"]["display_id"]: update for update in cell.updates}
    assert list(updates) == below
    made = panel.run_ok(f"%flux --size 256x256 --seed 1,2 --steps 1,3 --space {slow_space} a red fox").outputs
    made = [output for output in made if output["data"]]  # without the bar's place
    assert [shown(update) for update in updates.values()] == [shown(output) for output in made]
    assert "2×2, 4 images" in updates[below[0]]["data"]["text/plain"]
    assert said(panel, "panel.generations[{'seed': 2, 'steps': 3}].steps, panel.generation") == "(3, None)"
    assert [shown(output) for output in panel.run_ok("panel").outputs[1:]] == [shown(output) for output in made]


def test_several_values_on_the_magics_line_are_compared(kernel: Kernel, space: str) -> None:
    kernel.run_ok("panel = %flux_panel --size 256x256 --seed 1..4 --steps 1,2 a red fox")
    assert said(kernel, "panel.seed, panel.steps, panel.compare_seeds, panel.compare_steps") == "(1, 1, '1..4', '1,2')"
    kernel.run_ok("panel.compare(); panel.wait()")
    copied = said(kernel, "panel._keeper.cell.value")
    assert copied == "%%flux --seed 1..4 --steps 1,2 --space local --size 256x256\na red fox"
    digests = "[one.digest for one in {}]"
    kernel.run_ok(copied.replace("%%flux", "%%flux --output foxes").replace("--space local", f"--space {space}"))
    assert said(kernel, digests.format("foxes")) == said(kernel, digests.format("panel.generations"))
    kernel.run_ok("panel.close()")
    refused = kernel.run("%flux_panel --width 256,512 a fox")
    assert refused.traceback.startswith("UsageError: --width has several values: the panel compares whole sizes")


def test_generate_returns_at_once_and_other_cells_run_meanwhile(panel: Kernel, slow_space: str) -> None:
    panel.run_ok(f"panel.space, panel.steps = '{slow_space}', 50")
    panel.run_ok("panel.generate(); panel.generate()")
    assert said(panel, "panel.busy, panel.generation") == "(True, None)"
    assert panel.run_ok("%flux --size 256x256 a hen").get_shown("image/png")  # on another Space
    assert said(panel, "panel.busy, panel.generation") == "(True, None)"
    until_told(panel, "step", "of 50; 1 more behind it")
    panel.run_ok("panel.cancel(); panel.steps = 3; panel.generate()")
    until(panel, "not panel.busy")
    assert said(panel, "panel.generation").startswith("<flux 256×256 seed=42 steps=3")


@pytest.mark.parametrize("where", ["main shell", "subshell"])
def test_a_press_makes_an_image_wherever_its_message_is_handled(panel: Kernel, where: str) -> None:
    if where == "subshell" and ipykernel < (7, 0):
        pytest.skip("ipykernel 6 has no subshells")
    how = {"subshell": panel.create_subshell()} if where == "subshell" else {}
    panel.run_ok("seen = []; panel.observe(lambda change: seen.append(change['new']), 'generation')")
    press(panel, "panel._generate", **how)
    until(panel, "len(seen) == 1 and not panel.busy")
    assert said(panel, "seen[0].seed, panel._status.text[:7]") == "(42, 'done in')"


def test_a_press_takes_what_the_page_kept_back_while_the_kernel_was_busy(panel: Kernel) -> None:
    prompt, button = model(panel, "panel._controls.prompt"), model(panel, "panel._generate")
    module = "import sys; waits = sys.modules['flux_magic.jupyter.panel.panel']"
    panel.run_ok(f"{module}; usual, waits.GRACE = waits.GRACE, 4")  # however long a message takes on this machine
    busy = panel.send("import time; time.sleep(1)")
    panel.tell(prompt, {"method": "update", "state": {"value": "a"}, "buffer_paths": []})
    pressed = panel.tell(button, {"method": "custom", "content": {"event": "click"}})
    panel.wait(busy)
    panel.collect_messages(pressed)
    panel.tell(prompt, {"method": "update", "state": {"value": "a lighthouse"}, "buffer_paths": []})
    until(panel, "panel.generation is not None")
    panel.run_ok("waits.GRACE = usual")
    assert said(panel, "panel.generation.prompt") == "a lighthouse"


@pytest.mark.parametrize("where", ["running", "in the queue"])
def test_cancel_ends_the_job_and_leaves_that_of_another_panel(panel: Kernel, slow_space: str, where: str) -> None:
    panel.run_ok(f"import flux_magic\nother = flux_magic.Panel(prompt='a hen', steps=20, space='{slow_space}')")
    panel.run_ok("heard = []; other._status.widget.observe(lambda _: heard.append(other._status.text), 'value')")
    panel.run_ok(f"panel.space, panel.steps = '{slow_space}', 50")
    if where == "in the queue":
        panel.run_ok("other.generate()")
        until(panel, "any(text.startswith('step') for text in heard)")
    panel.run_ok("panel.generate()")
    until_told(panel, "step" if where == "running" else "1st of 1 in the queue")
    press(panel, "panel._cancel")
    until(panel, "not panel.busy")
    assert said(panel, "panel._status.text, panel.generation") == "('cancelled', None)"
    panel.run_ok("other.wait()")
    assert said(panel, "other._status.text[:7]") == ("done in" if where == "in the queue" else "")
    panel.run_ok("panel.steps = 1; panel.generate(); panel.wait()")
    panel.run_ok("other.close()")


def test_cancel_drops_what_waits_behind(panel: Kernel, slow_space: str) -> None:
    panel.run_ok(f"panel.space, panel.steps = '{slow_space}', 50")
    assert said(panel, "[panel.generate() for _ in range(3)] and panel.cancel(), panel.cancel()") == "(3, 0)"
    until(panel, "not panel.busy")
    assert said(panel, "panel.generation, panel._cancel.disabled") == "(None, True)"


def test_closing_a_panel_ends_its_job_and_leaves_its_outputs(kernel: Kernel, slow_space: str) -> None:
    kernel.run_ok(f"panel = flux_magic.Panel(prompt='a fox', steps=50, space='{slow_space}')")
    cell = kernel.run_ok("panel.generate()\nimport time; time.sleep(1)\npanel.close(); panel.close()")
    assert not cell.updates
    kernel.run_ok(f"%flux --steps 1 --size 256x256 --space {slow_space} a hen")
    assert kernel.run_ok("panel").outputs[0]["data"] == {"text/plain": "<closed Panel>"}
    assert kernel.run("panel.generate()").traceback == "InvalidRequest: the panel is closed: open another"


def test_a_panel_beside_a_running_cell(panel: Kernel, slow_space: str) -> None:
    panel.run_ok(f"panel.space, panel.steps = '{slow_space}', 3; panel.generate()")
    cell = panel.run_ok(f"%flux --steps 3 --size 256x256 --space {slow_space} a hen")
    assert len(cell.get_shown("image/png")) == 1
    assert said(panel, "panel.wait().prompt") == "a red fox"


def test_a_cell_that_captures_its_outputs_does_not_get_the_panels(panel: Kernel, slow_space: str) -> None:
    panel.run_ok(f"panel.space = '{slow_space}'; panel.generate()")
    panel.run_ok("%%capture mine\nimport time\nwhile panel.busy:\n    time.sleep(0.1)")
    assert said(panel, "len(mine.outputs)") == "0"


def test_observers_may_make_images_and_press_again(panel: Kernel) -> None:
    panel.run_ok(
        "import flux_magic\nmade = []\n"
        "def more(change):\n"
        "    made.append(flux_magic.generate('a hen', width=256, height=256, quiet=True))\n"
        "    if len(made) < 3:\n"
        "        panel.seed += 1\n"
        "        panel.generate()\n"
        "panel.observe(more, 'generation')"
    )
    panel.run_ok("panel.generate(); panel.wait()")
    assert said(panel, "[hen.prompt for hen in made], panel.generation.seed") == "(['a hen', 'a hen', 'a hen'], 44)"
    assert panel.run_ok("panel.unobserve(more, 'generation')").status == "ok"


def test_traits_are_linked_with_widgets_of_the_users(panel: Kernel) -> None:
    panel.run_ok("from ipywidgets import IntSlider, link\nmine = IntSlider(min=1, max=9)")
    panel.run_ok("linked = link((panel, 'steps'), (mine, 'value'))")
    assert said(panel, "mine.value") == "2"
    panel.run_ok("mine.value = 5")
    assert said(panel, "panel.steps, panel._controls.fields['steps'].control.value") == "(5, 5)"


def test_interact_works_with_generate_itself(kernel: Kernel) -> None:
    cell = kernel.run_ok(
        "import flux_magic\nfrom ipywidgets import fixed, interact\n"
        "shown = interact(flux_magic.generate, prompt='a fox', steps=(1, 4), width=fixed(256), height=fixed(256))"
    )
    assert (cell.stderr, cell.traceback) == ("", "")
    kinds = "[type(child).__name__ for child in shown.widget.children]"
    assert said(kernel, kinds) == "['Text', 'IntSlider', 'Output']"
    assert said(kernel, "shown.widget.result.steps") == "2"
    assert kernel.complete("flux_magic.generate('a fox', st") == [
        "steps=",
        "store=",
        "strength=",
        "strip_credentials=",
        "%store",
    ]


def test_an_error_is_on_the_status_line_and_raised_by_wait(panel: Kernel) -> None:
    panel.run_ok(f"{hasty.CODE}\npanel.space = 'http://127.0.0.1:9'")
    until_told(panel, "ConnectionFailed")
    cell = panel.run("panel.generate(); panel.wait()")
    assert cell.traceback.startswith("ConnectionFailed: ")
    assert said(panel, "panel._status.text") == cell.traceback.replace("--proxy", "%config FluxMagics.proxy")
    assert panel.run_ok("panel.space = ''; panel.generate(); panel.wait()").status == "ok"


def test_an_interrupt_ends_the_wait_and_not_the_job(panel: Kernel, slow_space: str) -> None:
    panel.run_ok(f"panel.space, panel.steps = '{slow_space}', 50; panel.generate()")
    waiting = "import threading; threading.Timer(0.5, print, ['waiting']).start(); panel.wait()"
    cell = panel.run_interrupted(waiting, when=lambda cell: cell.stdout)
    assert cell.traceback == "KeyboardInterrupt: stopped"
    assert said(panel, "panel.busy, panel.cancel()") == "(True, 1)"


def test_a_saved_notebook_has_the_result_once_below_the_panel(space: str, tmp_path: Path) -> None:
    cells = [
        "import flux_magic\npanel = flux_magic.Panel(prompt='a red fox', width=256, height=256, seed=42)\npanel",
        "panel.generate()\npanel.wait()\nprint(panel.generation)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLUX_MAGIC_SPACE", space)
        NotebookClient(notebook, kernel_name="python3", timeout=int(PATIENCE), store_widget_state=False).execute(
            cwd=str(tmp_path)
        )
    view, image, parameters = notebook.cells[0].outputs
    assert WIDGET in view.data
    assert set(image.data) == {"image/png", "text/plain"}
    assert "%%flux" in parameters.data["text/plain"]
    (printed,) = notebook.cells[1].outputs
    assert printed.text.strip() == image.data["text/plain"]


@pytest.mark.thorough
def test_a_saved_notebook_has_the_sheet_once_below_the_panel(space: str, tmp_path: Path) -> None:
    cells = [
        "import flux_magic\npanel = flux_magic.Panel(prompt='a red fox', width=256, height=256)\npanel",
        "panel.compare_seeds = '1..3'\npanel.compare()\nmade = panel.wait()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLUX_MAGIC_SPACE", space)
        NotebookClient(notebook, kernel_name="python3", timeout=int(PATIENCE), store_widget_state=False).execute(
            cwd=str(tmp_path)
        )
    _, sheet, table = notebook.cells[0].outputs
    assert set(sheet.data) == {"image/jpeg", "text/plain"}
    assert [one["record"]["run"]["seed"] for one in sheet.metadata["flux_magic"]["sheet"]] == [1, 2, 3]
    assert "<details class=" in table.data["text/html"]
    assert notebook.cells[1].outputs == []


def test_a_page_that_is_opened_later_has_the_result_within_the_panel(panel: Kernel) -> None:
    panel.run_ok("panel.generate(); panel.wait()")
    assert said(panel, "panel._view.widget.layout.display, panel._view.widget.value") == "('none', '')"
    panel.collect_messages(panel.tell(model(panel, "panel"), {"method": "request_state"}))
    assert "<img src=" in said(panel, "panel._view.widget.value")
    panel.run_ok("panel")
    assert said(panel, "repr(panel._view.widget.value)") == "''"


def test_a_page_that_finds_the_outputs_in_its_notebook_keeps_them_up_to_date(panel: Kernel) -> None:
    panel.run_ok("panel\npanel.generate(); panel.wait()")
    panel.collect_messages(panel.tell(model(panel, "panel"), {"method": "request_state"}))
    extras = model(panel, "panel._extras")
    panel.collect_messages(panel.tell(extras, {"method": "custom", "content": "below"}))
    assert said(panel, "repr(panel._view.widget.value)") == "''"
    told = panel.collect_messages(panel.tell(extras, {"method": "custom", "content": "outputs"}))
    (sent,) = [one["content"]["data"]["content"] for one in told if one["msg_type"] == "comm_msg"]
    assert [output["data"]["text/plain"] for output in sent["outputs"]] == eval(said(panel, "panel._extras.below"))


def test_within_a_box_of_the_users_the_result_is_in_the_panel(kernel: Kernel) -> None:
    kernel.run_ok("from ipywidgets import HBox, Label\npanel = flux_magic.Panel(prompt='a fox', width=256, height=256)")
    cell = kernel.run_ok("HBox([panel, Label('mine')])")
    assert len(cell.outputs) == 1
    assert not kernel.run_ok("panel.generate(); panel.wait()").updates
    assert 'alt="a fox"' in said(kernel, "panel._view.widget.value")
    kernel.run_ok("panel.close()")


@pytest.mark.thorough
def test_a_panel_without_anywidget_works_the_same(space: str) -> None:
    with run_kernel(FLUX_MAGIC_SPACE=space) as plain:
        plain.run_ok("import sys; sys.modules['anywidget'] = None\n%load_ext flux_magic")
        plain.run_ok("panel = %flux_panel --size 256x256 a fox\npanel")
        press(plain, "panel._generate")
        until(plain, "panel.generation is not None and not panel.busy")
        press(plain, "panel._keeper.copy")
        assert (
            said(plain, "panel._keeper.cell.layout.display, panel._keeper.cell.value == panel.generation.command()")
            == "(None, True)"
        )
        assert "select it with Ctrl+A" in said(plain, "panel._status.text")


def test_a_widget_that_a_page_may_not_know_is_named_by_none_that_opens(kernel: Kernel) -> None:
    """With one that it cannot load, ipywidgets 7 drops all that were opened around it."""
    messages = kernel.collect_messages(kernel.send("%flux_panel a fox"))
    opened = [message["content"] for message in messages if message["msg_type"] == "comm_open"]
    (stranger,) = [one["comm_id"] for one in opened if one["data"]["state"].get("_model_module") == "anywidget"]
    assert not [one["comm_id"] for one in opened if stranger in str(one["data"])]
    assert [
        message for message in messages if message["msg_type"] == "comm_msg" and stranger in str(message["content"])
    ]


def test_a_prompt_takes_names_of_the_notebook_as_a_cell_does(panel: Kernel) -> None:
    panel.run_ok("place = 'a quiet lake'\npanel.prompt = 'a fox by {place}, {nowhere} and {{place}}'\npanel.generate()")
    assert said(panel, "panel.wait().prompt") == "a fox by a quiet lake, {nowhere} and {place}"
    assert said(panel, "panel._status.text").endswith("{nowhere} sent as typed: no such name in this notebook")
    assert said(panel, "panel.generation.record.requested_prompt").endswith("{{place}}")
    panel.run_ok("panel._bring_back(panel.generation)")
    assert said(panel, "panel.prompt") == "a fox by a quiet lake, {{nowhere}} and {{place}}"
