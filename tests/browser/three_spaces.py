"""Three of the look-alikes that the wire tests have: these start sooner than all of them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "wire"))
import look_alikes  # type: ignore[import-not-found]

THREE = ("dev", "z-image", "kontext")

if __name__ == "__main__":
    look_alikes.ROWS = {name: look_alikes.ROWS[name] for name in THREE}
    look_alikes.serve()
