"""`python until_stdin_closes.py COMMAND …`: a program that ends, with all its children, when this one's input does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def wait_for_end() -> None:
        while os.read(0, 4096):
            pass
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)

    threading.Thread(target=wait_for_end, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
