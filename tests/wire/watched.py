"""`python watched.py NOTES PROGRAM …`: a program that runs as it is, with a note of every host that it turns to."""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any

NOTES = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        os.write(NOTES, f"{arguments[1][0]}\n".encode())
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        os.write(NOTES, f"{arguments[0]}\n".encode())
    elif event == "subprocess.Popen":
        os.write(NOTES, f"a program: {arguments[1]}\n".encode())


sys.argv = sys.argv[2:]
sys.addaudithook(note)
runpy.run_path(sys.argv[0], run_name="__main__")
