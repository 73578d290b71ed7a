"""The environment that the local Space runs in: a list of what it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NEEDED = re.compile(
    r"""
    PATH | HOME | USER | LOGNAME | TMPDIR | TEMP | TMP | TZ
    | LANG | LANGUAGE | LC_(ALL|COLLATE|CTYPE|MESSAGES|MONETARY|NUMERIC|TIME)
    | PYTHON[A-Z0-9]+ | VIRTUAL_ENV | CONDA_PREFIX
    | LD_LIBRARY_PATH | DYLD_(FALLBACK_)?LIBRARY_PATH | NIX_LD(_LIBRARY_PATH)?
    | (OMP|OPENBLAS|MKL|NUMEXPR|VECLIB_MAXIMUM)_(NUM_)?THREADS
    | XDG_(CACHE|CONFIG|DATA)_HOME | MPLCONFIGDIR
    | SYSTEMROOT | SYSTEMDRIVE | WINDIR | COMSPEC | PATHEXT | OS | NUMBER_OF_PROCESSORS | PROCESSOR_ARCHITECTURE
    | USERPROFILE | HOMEDRIVE | HOMEPATH | APPDATA | LOCALAPPDATA | PROGRAMDATA | PROGRAMFILES
    | COVERAGE_(PROCESS_START|PROCESS_CONFIG|FILE|RCFILE)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def select_needed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python, Gradio and NumPy need: no token, no proxy, no other application's setting."""
    return {name: value for name, value in environment.items() if _NEEDED.fullmatch(name)}
