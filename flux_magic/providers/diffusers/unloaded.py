"""The parameters of a pipeline that is on the disk and not loaded, by its class and its parts' configurations."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ...errors import ModelUnavailable
from .models import read_index
from .taking import Taken, read_taken


def read_taken_of(folder: Path) -> Taken:
    """Return what the pipeline in a folder takes. Raises ModelUnavailable for a class that diffusers has not."""
    import diffusers

    index = read_index(folder)
    kind = getattr(diffusers, str(index.get("_class_name")), None)
    if kind is None:
        raise ModelUnavailable(f"{folder.name} is a {index.get('_class_name')}, which this diffusers does not have")
    parts = {name: SimpleNamespace(config=_read_config(folder / name)) for name in ("transformer", "scheduler")}
    return read_taken(SimpleNamespace(config=index, image_processor=None, **parts), kind)


def _read_config(part: Path) -> Any:
    for name in ("config.json", "scheduler_config.json"):
        with suppress(OSError, ValueError):
            return SimpleNamespace(**json.loads((part / name).read_text("utf-8")))
    return SimpleNamespace()
