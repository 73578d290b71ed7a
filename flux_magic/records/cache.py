"""The user's cache folder: all in it can be made again."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_REMOTE: Final = re.compile(r"nfs4?|cifs|smb3|smbfs|9p|afs|lustre|gpfs|beegfs|ceph|(fuse\.)?(glusterfs|sshfs|ceph.*)")
"""File systems of other computers, whose locks a database cannot trust."""


def find_cache() -> Path | None:
    """Return the folder of the package in the user's cache, which may not exist yet; None without a home."""
    import platformdirs

    with suppress(RuntimeError):  # a user without a home
        found = Path(platformdirs.user_cache_path("flux_magic", appauthor=False))
        return found if found.is_absolute() else None
    return None


def find_local_cache() -> Path | None:
    """Return a folder of this computer for a database: in the cache, or beside other temporary files if that is remote.

    None if there is no folder that other users cannot change.
    """
    found = find_cache()
    if found is not None and not _REMOTE.fullmatch(_find_kind(found)):
        return found
    if not hasattr(os, "getuid"):
        return None
    own = Path(tempfile.gettempdir()) / f"flux_magic-{os.getuid()}"
    with suppress(OSError):
        own.mkdir(mode=0o700, exist_ok=True)
        facts = own.lstat()
        if own.is_dir() and not own.is_symlink() and facts.st_uid == os.getuid() and not facts.st_mode & 0o077:
            return own
    return None


def _find_kind(path: Path) -> str:
    """Return the kind of the file system that has a path; empty if the system does not say."""
    best, kind = "", ""
    with suppress(OSError, ValueError):
        real = os.path.realpath(path)
        for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
            _, at, found, *_ = line.split(" ")
            at = at.replace("\\040", " ")
            if len(at) >= len(best) and (real == at or real.startswith(at.rstrip("/") + "/")):
                best, kind = at, found
    return kind
