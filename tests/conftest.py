"""What holds for all tests."""

from __future__ import annotations

import signal

# A shell that starts a program in the background has it ignore Ctrl-C, and so would every kernel that a test
# starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
