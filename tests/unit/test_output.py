"""The command's output if it is not UTF-8, where nothing reads it, and where it cannot be written."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flux_magic.cli import main
from flux_magic.client.progress import ProgressLine, Terminal
from flux_magic.jupyter.extension import load, unload
from flux_magic.records.command import write_command
from flux_magic.results.notes import print_note
from tests.support.limits import PROGRAM
from tests.unit.samples import encoded, generation, notebook, python, record

PROMPT = "画 of a café, 🦊"
ENCODINGS = ["cp1252", "ascii", "latin-1", "cp437", "utf-16", "utf-8"]
AWAY = "import sys; from flux_magic.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two images; the name of one is not UTF-8."""
    for name in ("画.png", os.fsdecode(b"caf\xe9.png")):
        generation(encoded(), prompt=PROMPT).save(tmp_path / name)
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: object) -> tuple[int, str]:
    """Return the exit code of a command and all that it writes, to a strict stream of this encoding."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        code = main([str(argument) for argument in arguments])
    for stream in streams:
        stream.flush()
    written: Any = [stream.buffer for stream in streams]
    return code, "".join(buffer.getvalue().decode(encoding) for buffer in written)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_takes_a_whole_report_and_files_are_utf_8(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, encoding: str
) -> None:
    page, results = tmp_path / "p.html", tmp_path / "r.json"
    code, report = said(monkeypatch, encoding, "verify", "--static", folder, "--html", page, "--json", results)
    assert (code, report.splitlines()[-1]) == (0, "2 of 2 pass: 2 intact")
    assert PROMPT in page.read_text("utf-8")
    assert results.read_bytes().isascii()
    (folder / "画 broken.png").write_bytes(encoded()[:40])
    assert said(monkeypatch, encoding, "verify", "--static", folder)[0] == 1
    assert said(monkeypatch, encoding, "verify", "--static", "--space", "local", "画.png")[0] == 2


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_takes_what_made_an_image(monkeypatch: pytest.MonkeyPatch, folder: Path, encoding: str) -> None:
    for image in folder.iterdir():
        code, text = said(monkeypatch, encoding, "info", image)
        assert code == 0
        if encoding.startswith("utf"):
            assert text.endswith(f"\n{write_command(record(prompt=PROMPT))}\n")
        else:  # a cell with escapes would ask for another prompt: Python does not
            call = ast.parse(text[text.index("import flux_magic") :]).body[-1]
            assert isinstance(call, ast.Expr)
            assert isinstance(call.value, ast.Call)
            assert ast.literal_eval(call.value.args[0]) == PROMPT
    assert said(monkeypatch, encoding, "info", folder / "no 画.png")[0] == 1
    assert said(monkeypatch, encoding, "export", folder / "no 画.ipynb")[0] == 1


def test_the_environments_encoding_is_taken_as_it_is(folder: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-c", AWAY, "verify", "--static", str(folder)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=PROGRAM, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u753b" in done.stdout


@pytest.mark.parametrize(
    ("stdout", "passing", "failing", "complaint"),
    [
        pytest.param("1>&-", 0, 1, "", id="closed"),
        pytest.param("| true", 0, 1, "", id="a pipe that nothing reads"),
        pytest.param("1>/dev/full", 1, 1, "flux-magic: cannot write the answer: No space left on device\n", id="full"),
    ],
)
def test_the_exit_code_is_right_where_the_report_is_not_read(
    folder: Path, stdout: str, passing: int, failing: int, complaint: str
) -> None:
    def checked(name: str) -> tuple[int, str]:
        # It waits for the pipe's reader to be gone, and writes the page all the same.
        line = f'( read _; "$@"; echo $? >"$CODE" ) {stdout}' if "|" in stdout else f'"$@" {stdout}; echo $? >"$CODE"'
        command = ["sh", "-c", line, "sh", sys.executable, "-c", AWAY, "verify", "--static", name, "--html", page]
        environment = {**os.environ, "CODE": str(folder / "code"), "PYTHONUNBUFFERED": ""}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
        ) as process:
            _, errors = process.communicate("\n", timeout=PROGRAM)
        assert Path(page).exists()
        Path(page).unlink()
        return int((folder / "code").read_text()), errors

    page = str(folder / "p.html")
    assert checked("画.png") == (passing, complaint)
    (folder / "bare.png").write_bytes(encoded())
    assert checked("bare.png") == (failing, complaint)


def test_help_for_a_pipe_that_nothing_reads_ends_quietly() -> None:
    line = f"( \"{sys.executable}\" -c '{AWAY}' --help; echo $? >&2 ) | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=PROGRAM, check=False)
    assert done.stderr == "0\n"


def test_a_note_and_a_bar_lose_no_image_to_an_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict", write_through=True)
    monkeypatch.setattr(sys, "stderr", stream)
    print_note(f"{PROMPT} sent")
    bar = Terminal()
    bar.draw(ProgressLine(f"the Space says: {PROMPT}"))
    bar.clear()
    written: Any = stream.buffer
    assert written.getvalue().startswith(rb"note: \u753b of a caf\xe9, \U0001f98a sent")
    assert rb"the Space says: \u753b" in written.getvalue()


def test_without_stderr_nothing_is_lost() -> None:
    assert python(
        "import sys; sys.stderr = None; from flux_magic.client import progress\nwith progress.show_bar(1): print(1)"
    )


def test_in_a_terminal_the_extension_lets_every_text_be_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with notebook(tmp_path):
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
        assert shell is not None
        stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict", write_through=True)
        monkeypatch.setattr(sys, "stdout", stream)
        load(shell, keep_config=False)
        try:
            shell.run_cell(f"%flux --dry-run {PROMPT}")
        finally:
            unload(shell)
    written: Any = stream.buffer
    assert rb'"prompt": "\u753b of a caf' in written.getvalue()
