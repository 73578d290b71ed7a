"""The `flux-magic` command; under another Gradio, the app that it runs."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from flux_magic.providers import local
from flux_magic.providers.local import LocalSpace
from tests.support.limits import PATIENCE, PROGRAM
from tests.support.space import PYTHON, make_digest

FLUX_MAGIC = str(Path(sysconfig.get_path("scripts"), "flux-magic"))
SPACE = [FLUX_MAGIC, "space"] if sys.executable == PYTHON else [PYTHON, str(local.APP)]
NO_GRADIO = "import sys; sys.modules['gradio'] = None\n"


def done(*command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Return a program that has run to its end."""
    environment = os.environ | ({"TMPDIR": str(folder)} if folder else {})
    return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM, env=environment, check=False)


def without_gradio(code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return done(sys.executable, "-c", NO_GRADIO + code, folder=folder)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.thorough),
        pytest.param(signal.SIGINT, id="Ctrl-C"),
    ],
)
def test_the_space_says_where_it_is_and_ends_in_silence(end: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [*SPACE, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stdout
        ready = re.fullmatch(r"flux-magic space: ready at (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        assert ready
        assert make_digest(ready[1])
        os.killpg(process.pid, end)  # as a terminal does, to the whole group
        assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "9.9.9.9", "::1", "nowhere.invalid"])
def test_where_it_cannot_listen_is_one_line_and_exit_code_1_before_gradio_is_looked_at(
    host: str, space: str, tmp_path: Path
) -> None:
    port = space.rpartition(":")[2]
    failed = without_gradio(
        f"import runpy, sys; sys.argv[1:] = ['--host', '{host}', '--port', '{port}']\n"
        f"runpy.run_path({str(local.APP)!r}, run_name='__main__')",
        tmp_path,
    )
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == (
        f"flux-magic space: cannot listen on {host}:{port}; "
        "give another --host, or another --port (0 for any free one)\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_what_is_no_port_is_refused_in_one_line(port: str) -> None:
    failed = done(*SPACE, f"--port={port}")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].endswith(f"argument --port: invalid port value: '{port}'")


@pytest.mark.thorough
def test_a_stray_setting_of_gradio_is_none_of_the_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_DEBUG", "1")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "9.9.9.9")
    space = LocalSpace(python=PYTHON)
    try:
        assert asyncio.run(space.get_address()).startswith("http://127.0.0.1:")
    finally:
        space.close()


def test_help_names_the_options_of_the_space() -> None:
    helped = done(*SPACE, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "--host" in helped.stdout
    assert "--port" in helped.stdout
    assert "7860" in helped.stdout


def test_help_names_the_commands() -> None:
    helped = done(FLUX_MAGIC, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "run the local Space" in helped.stdout


def test_without_a_command_its_help_is_shown_and_it_fails() -> None:
    bare = done(FLUX_MAGIC)
    assert bare.returncode == 2
    assert bare.stdout == done(FLUX_MAGIC, "--help").stdout


@pytest.mark.parametrize("arguments", [["paint"], ["space", "--port", "many"], ["--colour"]])
def test_what_it_does_not_know_is_refused(arguments: list[str]) -> None:
    refused = done(FLUX_MAGIC, *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert arguments[-1] in refused.stderr


def test_it_says_its_version() -> None:
    assert done(FLUX_MAGIC, "--version").stdout == f"flux-magic {version('flux-magic')}\n"


INSTALL = 'pip install "flux-magic[local]"'


def test_without_gradio_the_command_says_how_to_install_it() -> None:
    failed = without_gradio("from flux_magic.cli import main; sys.exit(main(['space']))")
    assert failed.returncode == 1
    assert INSTALL in failed.stderr
    assert len(failed.stderr.splitlines()) <= 3


def test_without_gradio_the_app_alone_says_so_too() -> None:
    failed = without_gradio(f"import runpy; runpy.run_path({str(local.APP)!r}, run_name='__main__')")
    assert failed.returncode == 1
    assert failed.stderr == f"flux-magic space: gradio is missing; install it: {INSTALL}\n"


def test_without_gradio_a_local_image_is_a_local_space_error() -> None:
    code = "import asyncio, flux_magic\nasyncio.run(flux_magic.AsyncClient(space='local').generate('a fox'))"
    failed = without_gradio(code)
    assert failed.returncode == 1
    last = failed.stderr.splitlines()[-2:]
    assert last[0].startswith("flux_magic.errors.LocalSpaceError: the local Space needs Gradio")
    assert INSTALL in last[1]
