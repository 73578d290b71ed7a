"""A real ipykernel that a test types cells into."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.support.limits import PATIENCE


@dataclass
class Cell:
    """What a cell gave: its status, its outputs as the kernel sent them, how long it took."""

    status: str = ""
    error: str = ""
    traceback: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    streams: dict[str, str] = field(default_factory=lambda: {"stdout": "", "stderr": ""})
    payload: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0

    @property
    def stdout(self) -> str:
        return self.streams["stdout"]

    @property
    def stderr(self) -> str:
        return self.streams["stderr"]

    @property
    def notes(self) -> list[str]:
        """The notes of the cell, which are not in the colour of an error."""
        assert "note: " not in self.stderr
        return [line for line in self.stdout.splitlines() if line.startswith("note: ")]

    def get_shown(self, mime: str) -> list[str]:
        """Return the contents of this type among the outputs, in order."""
        return [output["data"][mime] for output in self.outputs if mime in output["data"]]


class Kernel:
    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def send(self, code: str) -> str:
        """Queue a cell; returns the id to wait for."""
        return str(self.client.execute(code))

    def run(self, code: str, patience: float = PATIENCE) -> Cell:
        """Run a cell to its end."""
        return self.wait(self.send(code), patience)

    def run_ok(self, code: str, patience: float = PATIENCE) -> Cell:
        """Run a cell that must succeed."""
        cell = self.run(code, patience)
        assert cell.status == "ok", f"{cell.error}\n{cell.traceback}\n{cell.stderr}"
        return cell

    def wait_until_begun(self, msg_id: str) -> None:
        """Wait until a cell runs: an interrupt before that aborts it."""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "execute_input" and message["parent_header"].get("msg_id") == msg_id:
                return

    def run_interrupted(self, code: str, when: Callable[[Cell], object]) -> Cell:
        """Run a cell, and interrupt it once what it has sent so far is such."""
        return self.wait(self.send(code), interrupt=when)

    def wait(self, msg_id: str, patience: float = PATIENCE, interrupt: Callable[[Cell], object] | None = None) -> Cell:
        """Collect what belongs to a cell until the kernel is idle again."""
        cell, begin = Cell(), time.monotonic()
        while True:
            left = begin + patience - time.monotonic()
            try:
                message = self.client.get_iopub_msg(timeout=max(left, 0.01))
            except queue.Empty:
                raise AssertionError(f"the cell did not end within {patience:g} s") from None
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            _take(cell, message)
            if interrupt is not None and interrupt(cell):
                interrupt = None
                self.interrupt()
        cell.seconds = time.monotonic() - begin
        return self._add_reply(cell, msg_id, patience)

    def _add_reply(self, cell: Cell, msg_id: str, patience: float) -> Cell:
        while True:
            reply = self.client.get_shell_msg(timeout=patience)
            if reply["parent_header"].get("msg_id") == msg_id:
                break
        cell.status = reply["content"]["status"]
        cell.payload = reply["content"].get("payload", [])
        cell.error = f"{reply['content'].get('ename', '')}: {reply['content'].get('evalue', '')}"
        return cell

    def complete(self, code: str) -> list[str]:
        """Return what Tab offers at the end of `code`."""
        reply = self.client.complete(code, len(code), reply=True, timeout=PATIENCE)
        return list(reply["content"]["matches"])

    def tell(self, model: str, data: Mapping[str, Any], *, subshell: str | None = None) -> str:
        """Send a widget's model a message, as a page does; returns the id to wait for."""
        content = {"comm_id": model, "data": dict(data)}
        message = self.client.session.msg("comm_msg", content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def create_subshell(self) -> str:
        """Return a new subshell, on a thread of its own; only where the kernel has such."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        reply = self.client.get_control_msg(timeout=PATIENCE)
        return str(reply["content"]["subshell_id"])

    def collect_messages(self, msg_id: str, patience: float = PATIENCE) -> list[dict[str, Any]]:
        """Return what came of a message to a widget until the kernel is idle again: the messages, in order."""
        found: list[dict[str, Any]] = []
        end = time.monotonic() + patience
        while time.monotonic() < end:
            message = self.client.get_iopub_msg(timeout=patience)
            if message["parent_header"].get("msg_id") == msg_id:
                found.append(message)
                if message["content"].get("execution_state") == "idle":
                    return found
        raise AssertionError(f"the message was not done with within {patience:g} s")

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()


def _take(cell: Cell, message: Mapping[str, Any]) -> None:
    content = message["content"]
    match message["msg_type"]:
        case "stream":
            cell.streams[content["name"]] += content["text"]
        case "display_data" | "execute_result":
            cell.outputs.append(dict(content))
        case "update_display_data":
            cell.updates.append(dict(content))
        case "error":
            cell.traceback = "\n".join(content["traceback"])


@contextmanager
def run_kernel(folder: Path | None = None, *, python: str = sys.executable, **environment: str) -> Iterator[Kernel]:
    """Provide a kernel of an interpreter, this one by default, at work in `folder`; it ends with the block."""
    manager = KernelManager(kernel_name="python3")
    assert manager.kernel_spec
    manager.kernel_spec.argv[0] = python
    manager.start_kernel(env={**os.environ, **environment}, cwd=str(folder or Path.cwd()))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
