"""Outside of a notebook's cell: scripts, terminal IPython, several loops, forks, and the end of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.support.limits import PROGRAM

# Python 3.12 and later warn of any fork while there are threads: that is the caller's choice.
FORKING = (sys.executable, "-W", "ignore::DeprecationWarning")
SMALL = "width=256, height=256, seed=1"


def run(code: str, *program: str) -> subprocess.CompletedProcess[str]:
    command = [*(program or (sys.executable, "-W", "error")), "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what it printed, where it ended well and with nothing on stderr."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_script_makes_an_image_and_prints_nothing_at_its_end(space: str) -> None:
    code = f"import flux_magic; print(repr(flux_magic.generate('x', space='{space}', {SMALL})))"
    assert said(run(code)).startswith("<flux 256×256 seed=1 steps=2 sha256:")


@pytest.mark.thorough
def test_the_local_space_ends_with_its_script() -> None:
    code = f"""
        import flux_magic
        from flux_magic.providers import local
        flux_magic.generate('x', space='local', {SMALL})
        print(local.shared.pid)
    """
    pid = int(said(run(code)))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_two_loops_one_after_the_other_share_a_client(space: str) -> None:
    code = f"""
        import asyncio, flux_magic
        client = flux_magic.AsyncClient(space='{space}', {SMALL})
        async def one():
            async with client:
                return (await client.generate('x')).digest
        print(asyncio.run(one()) == asyncio.run(one()))
    """
    assert said(run(code)) == "True\n"


def test_a_loop_that_runs_already_can_still_call_generate(space: str) -> None:
    code = f"""
        import asyncio, flux_magic
        async def main():
            return flux_magic.generate('x', space='{space}', {SMALL}).seed
        print(asyncio.run(main()))
    """
    assert said(run(code)) == "1\n"


def test_a_forked_child_makes_images_of_its_own_and_so_does_its_parent(space: str) -> None:
    code = f"""
        import os, sys, flux_magic
        make = lambda: flux_magic.generate('x', space='{space}', {SMALL}).digest
        first = make()
        child = os.fork()
        same = make() == first
        if child:
            _, status = os.waitpid(child, 0)
            print(same, status)
        else:
            sys.exit(0 if same else 3)
    """
    assert said(run(code, *FORKING)) == "True 0\n"


@pytest.mark.thorough
def test_a_forked_childs_end_leaves_the_parents_local_space_alone() -> None:
    code = f"""
        import os, sys, flux_magic
        from flux_magic.providers import local
        make = lambda: flux_magic.generate('x', space='local', {SMALL}).digest
        first, pid = make(), local.shared.pid
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            print(make() == first, local.shared.pid == pid)
        else:
            sys.exit(0)
    """
    assert said(run(code, *FORKING)) == "True True\n"


def test_threads_may_call_generate_at_once(space: str) -> None:
    code = f"""
        import flux_magic
        from concurrent.futures import ThreadPoolExecutor
        def make(seed):
            return flux_magic.generate('x', space='{space}', width=256, height=256, seed=seed).seed
        with ThreadPoolExecutor(3) as pool:
            print(list(pool.map(make, range(6))))
    """
    assert said(run(code)) == "[0, 1, 2, 3, 4, 5]\n"


def test_terminal_ipython_makes_an_image(space: str, tmp_path: Path) -> None:
    code = f"%load_ext flux_magic\nprint(repr(get_ipython().run_line_magic('flux', '--space {space} --seed 1 a fox')))"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", "--no-term-title", "-c", code],
        capture_output=True,
        text=True,
        timeout=PROGRAM,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
    )
    assert said(done).startswith("<flux 768×768 seed=1 steps=2")


def test_ctrl_c_ends_a_script_and_leaves_nothing(slow_space: str) -> None:
    code = f"import flux_magic; print('go', flush=True); flux_magic.generate('x', steps=40, space='{slow_space}')"
    script = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert script.stdout is not None
    script.stdout.readline()
    time.sleep(1.5)
    script.send_signal(signal.SIGINT)
    _, errors = script.communicate(timeout=PROGRAM)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Unclosed" not in errors
    assert "never" not in errors
