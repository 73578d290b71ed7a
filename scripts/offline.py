"""Run a command where there is no network at all but this machine's own loopback: `python scripts/offline.py COMMAND`.

By `unshare -n` (of Debian's util-linux): a network namespace of its own. As root, or by a user namespace.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys

INSIDE = "FLUX_MAGIC_TEST_OFFLINE"
_GET, _SET, _UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP: linux/sockios.h, linux/if.h


def main(command: list[str]) -> None:
    if INSIDE not in os.environ:
        unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
        os.environ[INSIDE] = "1"
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])
    raise_loopback()
    check_offline()
    os.execvp(command[0], command)


def raise_loopback() -> None:
    """Bring up the loopback interface of a new namespace; a kernel needs it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack("16sH", fcntl.ioctl(sock, _GET, struct.pack("16sH", name, 0)))[1]
        fcntl.ioctl(sock, _SET, struct.pack("16sH", name, flags | _UP))


def check_offline() -> None:
    """Check that loopback is the only interface, and that no packet has a way out."""
    names = [name for _, name in socket.if_nameindex()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        reached = sock.connect_ex(("192.0.2.1", 9)) == 0
    if names != ["lo"] or reached:
        sys.exit(f"the network is not off: {', '.join(names)}")


if __name__ == "__main__":
    main(sys.argv[1:])
