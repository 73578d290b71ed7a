"""No local Space is traced, but for those that are the very thing that is tested.

Coverage starts itself in every Python process that a test starts, and loading Gradio takes nearly twice as long with
it. `make test` puts this folder on the path of all of them; a Space that a test runs by another command is measured.
"""

from __future__ import annotations

import sys

if "coverage" in sys.modules and sys.orig_argv[1].endswith("app.py"):
    from coverage import Coverage

    measuring = Coverage.current()
    if measuring is not None:
        measuring.stop()
