"""The local Space as a child process: started when first needed, ended with this process."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib.util
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from ..errors import LocalSpaceError
from .log import get_logger
from .stand_in.space_folder import remove_dead

_log = get_logger(__name__)

APP = Path(__file__).with_name("stand_in") / "app.py"
"""The Gradio app; it runs alone."""

DRAWING = APP.with_name("space_drawing.py")
"""The file beside it that draws."""

INSTALL = 'pip install "flux-magic[local]"'
STARTUP_TIMEOUT = 300.0
"""Seconds that the Space may take to start: some where a machine has time, minutes where it is busy with much else."""

_READY = re.compile(r"^flux-magic space: ready at (http://\S+)$", re.MULTILINE)


def read_drawing() -> str:
    """Return the version of the bundled Space's drawing, read from its source; nothing is started or imported."""
    found = re.search(r"^DRAWING = (\d+)$", DRAWING.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""


def build_environment() -> dict[str, str]:
    """Return what the local Space needs of this process's environment."""
    from .stand_in.space_environment import select_needed

    return select_needed(os.environ)


def check_installed() -> None:
    """Raise LocalSpaceError if Gradio is missing, and say how to install it."""
    if importlib.util.find_spec("gradio") is None:
        raise LocalSpaceError("the local Space needs Gradio, which is not installed", f"Install it: {INSTALL}")


class LocalSpace:
    """The bundled Space as a child process, on a free port of 127.0.0.1.

    Args:
        python: the interpreter that runs it; Gradio is installed there.
        arguments: more of the app's own options.
        patience: seconds that it may take to start.
        private: make it answer only this process, which sends its `secret` as a bearer token.

    It reads its standard input, and ends when that closes: at `close`, and also when this process is killed.
    """

    def __init__(
        self,
        *,
        python: str = sys.executable,
        arguments: tuple[str, ...] = (),
        patience: float = STARTUP_TIMEOUT,
        private: bool = False,
    ) -> None:
        self.secret = secrets.token_urlsafe(32) if private else ""
        own = ("--secret",) if private else ()
        self._command = [python, str(APP), "--port", "0", "--until-stdin-closes", *own, *arguments]
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._announced = 0
        self._borrowed = ""

    def borrow(self, address: str, secret: str) -> None:
        """Use the Space that another process of this machine has started, until it has ended; unless one runs here."""
        if self._process is None:
            self._borrowed, self.secret = address, secret

    @property
    def running(self) -> bool:
        """True if it runs and has reported its address."""
        if self._borrowed:
            return True
        process = self._process
        return process is not None and process.poll() is None and bool(_READY.search(self._read_log()))

    @property
    def address(self) -> str:
        """Its base URL; empty while it is not running."""
        ready = _READY.search(self._read_log()) if self.running else None
        return self._borrowed or (ready[1] if ready else "")

    @property
    def pid(self) -> int | None:
        """The process id, if it was started."""
        return self._process.pid if self._process else None

    async def has_ended(self, within: float = 1.0) -> bool:
        """Return True if it has ended. Its connections may break shortly before the process ends, so wait a moment."""
        end = time.monotonic() + within
        if self._borrowed:
            host, _, port = self._borrowed.rpartition("/")[2].rpartition(":")
            try:
                await asyncio.to_thread(lambda: socket.create_connection((host, int(port)), within).close())
            except OSError:
                self._borrowed = ""
        while self.running and time.monotonic() < end:  # noqa: ASYNC110 - no event tells of a death
            await asyncio.sleep(0.05)
        return not self.running

    async def get_address(self) -> str:
        """Return its base URL; start it if needed, and once more if it dies while starting.

        Raises LocalSpaceError, with the end of its log, if it cannot be started.
        """
        try:
            return await self._start()
        except LocalSpaceError:
            if self._process is None or self._process.poll() is None:
                raise
        return await self._start()

    async def _start(self) -> str:
        if self._borrowed:
            return self._borrowed
        process = self._ensure_process()
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            dead = process.poll() is not None
            if ready := _READY.search(self._read_log()):
                if self._announced != process.pid:
                    self._announced = process.pid
                    _log.info("the local Space is ready at %s", ready[1])
                return ready[1]
            if dead:
                raise LocalSpaceError(f"the local Space ended while starting{self._quote_log()}")
            await asyncio.sleep(0.05)
        said = self._quote_log()
        self.close()
        raise LocalSpaceError(f"the local Space did not start within {self._patience:g} s{said}")

    def _ensure_process(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if self._process is not None:
                    _log.info("the local Space has ended with code %s, and is started again", self._process.returncode)
                self._forget()
                self._process = self._launch()
            return self._process

    def _launch(self) -> subprocess.Popen[bytes]:
        check_installed()
        # It has no name, so nothing is left of it, whichever process is killed.
        self._log = tempfile.TemporaryFile("ab+")  # noqa: SIM115 - closed in _forget
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                env=build_environment(),
                # Ctrl-C in a terminal goes to the whole group; it means the cell, not the Space.
                start_new_session=True,
            )
        except OSError as exc:
            self._forget()
            raise LocalSpaceError(f"the local Space cannot be started: {exc.strerror}: {self._command[0]}") from exc
        _log.info("the local Space is started: process %d", process.pid)
        self._tell_secret(process)
        return process

    def _tell_secret(self, process: subprocess.Popen[bytes]) -> None:
        """Write the secret to the standard input: other users can read a command line."""
        if self.secret and process.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended, which is reported where it is waited for
                process.stdin.write(f"{self.secret}\n".encode())
                process.stdin.flush()

    def _read_log(self) -> str:
        if self._log is None:
            return ""
        if not hasattr(os, "pread"):  # Windows
            self._log.seek(0)
            return self._log.read().decode(errors="replace")
        # The child writes at this end of the file, perhaps in the middle of a line: the position must not move.
        handle = self._log.fileno()
        return os.pread(handle, os.fstat(handle).st_size, 0).decode(errors="replace")

    def _quote_log(self) -> str:
        lines = self._read_log().strip().splitlines()[-8:]
        return ":\n" + "\n".join(lines) if lines else ", and printed nothing"

    def close(self) -> None:
        """End the process, if it runs."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                _log.info("the local Space is ended: process %d", self._process.pid)
                self._process.terminate()
                try:
                    self._process.wait(timeout=3)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            self._forget()

    def _forget(self) -> None:
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._process.poll() not in {None, 0}:  # killed, it has left its images
                remove_dead()
        if self._log is not None:
            self._log.close()
        self._process, self._log = None, None

    def let_go(self) -> None:
        """Forget the process after a fork, since it belongs to the parent. Only this copy of the pipe is closed."""
        process, self._process, self._log, self._borrowed = self._process, None, None, ""
        self.secret = self.secret and secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        if process is not None:
            process.returncode = 0  # else its destructor warns of a child that runs
            if process.stdin is not None:
                process.stdin.close()


shared = LocalSpace(private=True)
"""The local Space of this process, which `space = "local"` means."""

atexit.register(shared.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=shared.let_go)
