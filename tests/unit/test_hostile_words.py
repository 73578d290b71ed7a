"""A stranger's words on every surface: nothing in them steers a terminal, reorders a line, or loses the output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flux_magic.client import doctor
from flux_magic.client.progress import ProgressLine, Terminal, describe_event, render_html
from flux_magic.errors import FluxError, Incomplete, SpaceError, replace_controls
from flux_magic.jupyter.panel.status import StatusLine
from flux_magic.providers.gradio import decoding
from flux_magic.providers.gradio.signature import read_contract
from flux_magic.records import sent
from flux_magic.records.command import write_cell, write_command
from flux_magic.results import generation, notes, recall, sheet_output
from flux_magic.results import output as display
from flux_magic.results.generations import Generations
from flux_magic.results.history import History
from flux_magic.sweeps.axes import Axis
from flux_magic.types import ImageResponse, Log, Record, Running, Waiting, escape_markdown
from flux_magic.verify import report
from flux_magic.verify.report import report_html
from flux_magic.verify.verdict import Outcome, Verdict
from flux_magic.verify.verdict import Status as Judged
from tests.unit.samples import encoded, record
from tests.unit.samples import generation as made_of

STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NASTY = "fox\x1b]52;c;aGk=\x07\x1b[2J\x1b]0;owned\x1b\\\r\x08\0\x9b31m\u202eevil\u2066x\u2069\ud800 $\\href{j}{b}$"
OWN = "\u05e9\u05dc\u05d5\u05dd\u200f \U0001f469\u200d\U0001f680\tand\n\u0645\u06cc\u200c\u062e"
"""A prompt of a user's own, with the marks that its languages need."""


def stranger(**changes: Any) -> Record:
    texts: dict[str, Any] = dict.fromkeys(
        ("prompt", "model", "provider", "space", "requested_prompt", "requested_space"), NASTY
    )
    around = replace(record().circumstances, gradio=NASTY, decoder=NASTY, started=NASTY)
    return replace(record(), **texts, circumstances=around, sent={NASTY: NASTY}, **changes)


def an_image() -> generation.Generation:
    made = made_of(encoded())
    return replace(made, record=replace(stranger(), files=made.record.files), note=NASTY)


def bundles(outputs: list[display.Output]) -> list[str]:
    alt = [one["alt"] for output in outputs for kind, one in output.metadata.items() if kind.startswith("image/")]
    return [text for output in outputs for kind, text in output.data.items() if kind.startswith("text/")] + alt


def a_sweep() -> Generations:
    return Generations([an_image()], [Axis("seed", (1, 2))], troubles={1: NASTY})


def a_report() -> report.Report:
    one = Verdict(NASTY, Judged.UNCHECKED, Outcome.EDITED, why=NASTY, record=stranger())
    return report.Report((one,), problems=(NASTY,))


def recalled() -> recall.Recalled:
    return recall.Recalled(NASTY, NASTY, {"prompt": NASTY, "space": NASTY}, (NASTY,))


def recalled_of_ours() -> recall.Recalled:
    return replace(recalled(), record=stranger(), tool="flux_magic")


def of_the_wire() -> list[str]:
    config = {"version": NASTY, "title": NASTY, "dependencies": [{"api_name": "infer", "inputs": []}]}
    known = read_contract(config)
    return [
        known.title,
        known.version,
        decoding.strip_markup(NASTY),
        str(decoding.make_space_error({"error": NASTY, "title": NASTY})),
    ]


def of_a_terminal() -> str:
    screen = Terminal()
    screen.draw(ProgressLine(NASTY))
    screen.clear()
    return ""


SURFACES: list[Any] = [
    pytest.param(lambda: str(FluxError(NASTY, NASTY)) + repr(FluxError(NASTY)), id="an error"),
    pytest.param(lambda: "".join(SpaceError(NASTY)._render_traceback_()), id="an error in a notebook"),
    pytest.param(lambda: str(Incomplete(NASTY, NASTY, {0: SpaceError(NASTY)})), id="an error of several"),
    pytest.param(of_the_wire, id="a Space's own words"),
    pytest.param(lambda: [describe_event(one).text for one in (Waiting(NASTY), Log(NASTY), Running(description=NASTY))],
                 id="progress"),
    pytest.param(of_a_terminal, id="tqdm"),
    pytest.param(lambda: notes.print_note(NASTY), id="a note"),
    pytest.param(lambda: notes.print_answer(NASTY), id="a command's answer"),
    pytest.param(lambda: str(doctor.Diagnosis({"title": NASTY, "Space": NASTY}, healthy=True)), id="the doctor"),
    pytest.param(lambda: str(ImageResponse(["http://h/a.png"], NASTY)), id="a response"),
    pytest.param(lambda: escape_markdown(NASTY), id="Markdown"),
    pytest.param(lambda: bundles([display.build_parameters(stranger(), {"more": NASTY})]), id="parameters"),
    pytest.param(lambda: bundles([display.build_link(stranger(), 0, NASTY)]), id="a link"),
    pytest.param(lambda: [*bundles(an_image().build_outputs()), repr(an_image())], id="an image"),
    pytest.param(lambda: [*bundles(a_sweep().build_outputs()), repr(a_sweep())], id="a sweep"),
    pytest.param(lambda: [*bundles(Generations([an_image()]).build_outputs())], id="images"),
    pytest.param(lambda: [repr(one := History([an_image()], [NASTY])), one._repr_html_()], id="the history"),
    pytest.param(lambda: [repr(one := History([], [NASTY], nothing=NASTY)), one._repr_html_()], id="no history"),
    pytest.param(lambda: [repr(one := a_report()), one._repr_html_(), report_html(one), one.format_json()], id="check"),
    pytest.param(lambda: [str(one := recalled()), one.describe(), one.cell, one.call], id="a stranger's recipe"),
    pytest.param(lambda: [str(one := recalled_of_ours()), one.describe(), one.cell, one.call], id="its record"),
    pytest.param(lambda: json.dumps(recalled_of_ours().as_dict(), indent=1), id="info --json"),
    pytest.param(lambda: [write_command(stranger()), write_cell("fox", space="a/b\u202e")], id="a cell"),
    pytest.param(lambda: json.dumps(sent.sanitize({NASTY: [NASTY, {NASTY: NASTY}]}), ensure_ascii=False), id="sent"),
]  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
def test_a_strangers_words_steer_nothing(surface: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = surface()
    texts = [*([found] if isinstance(found, str) else found or []), *capsys.readouterr()]
    seen = "\n".join(texts)
    assert STEERING.search(re.sub("\r|\x1b\\[A", "", seen)) is None, "but for tqdm's own"
    assert seen.encode()
    assert "fox" in seen, "the words are there"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(lambda: display.build_parameters(stranger(), {"more": NASTY}).data["text/html"], id="parameters"),
        pytest.param(lambda: a_report()._repr_html_(), id="verify"),
        pytest.param(
            lambda: sheet_output.build_table(a_sweep().axes, a_sweep()._list_places()).data["text/html"], id="a sweep"
        ),
        pytest.param(lambda: History([an_image()], [NASTY])._repr_html_(), id="the history"),
        pytest.param(lambda: render_html(ProgressLine(NASTY)), id="progress"),
    ],
)
def test_mathjax_finds_nothing_outside_of_what_it_skips(page: Callable[[], str]) -> None:
    outside = re.sub(r"<(pre|code)\b.*?</\1>", "", page(), flags=re.DOTALL)
    assert not re.search(r"[$\\]", re.sub(r"<[^>]*>", "", outside))


def test_a_prompt_of_ones_own_language_is_shown_as_it_is() -> None:
    made = record(prompt=OWN)
    assert OWN in replace_controls(OWN)
    assert OWN in write_command(made)
    for kind in ("text/html", "text/markdown", "text/plain"):
        assert " ".join(OWN.split())[:7] in display.build_parameters(made).data[kind]


def test_a_panels_status_holds_no_controls() -> None:
    line = StatusLine(lambda: 0)
    try:
        line.draw(ProgressLine(NASTY))
        line.fail(RuntimeError(NASTY))
        assert STEERING.search(line.widget.value + line.text) is None
    finally:
        line.widget.close()
