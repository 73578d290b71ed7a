"""The model of the package `flux_magic_tiny`, `--model tiny`: its names, its digest and its own defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ...errors import MissingExtra, ModelUnavailable
from ...parameters.table import ROWS
from .models import TINY_NAME, compute_folder_digest
from .taking import Taken

DIGEST: Final = "18deaba13445ac1316ec7ab83700fa0f392522b52baa1eb5aac08feae2b5bc6f"
"""The sha256 of the model's folder; `python -m scripts.tiny box` writes it here."""

DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {"steps": 8, "width": 128, "height": 128, "guidance": 3.0, "max_sequence_length": 64}
)
"""The values of what a request leaves out, by the names of our table.

They are in no replay key: other ones, like other weights, are another version, which the model's name has.
"""

_INSTALL: Final = "in a clone of flux_magic: pip install ./tiny"


def find_folder() -> Path | None:
    """Return the folder of the installed model; None without its package. It is not checked."""
    try:
        from flux_magic_tiny import MODEL
    except ImportError:
        return None
    return MODEL


def open_folder() -> Path:
    """Return the folder of the installed model, whose files are read and checked.

    Raises MissingExtra without its package, and ModelUnavailable for other bytes than this version's.
    """
    folder = find_folder()
    if folder is None:
        raise MissingExtra(f"the model tiny needs the package flux-magic-tiny, which is not installed; {_INSTALL}")
    try:
        digest = compute_folder_digest(folder, is_cached=False)
    except ModelUnavailable:
        digest = ""
    if digest != DIGEST:
        why = f"their sha256 is {digest[:16]}, and not {DIGEST[:16]}" if digest else "some are missing"
        raise ModelUnavailable(
            f"the files of flux-magic-tiny are not those of {TINY_NAME}: {why}",
            f"Install what belongs to this flux_magic, {_INSTALL}",
        )
    return folder


def adapt(taken: Taken) -> Taken:
    """Return what a pipeline takes of this model: the guidance is `true_cfg_scale`, and the defaults are its own.

    Its transformer embeds no guidance. `true_cfg_scale` guides away from the negative prompt, here an empty one.
    """
    guidance = replace(ROWS["guidance"], own_name="true_cfg_scale")
    rows = tuple(
        replace(row, default=DEFAULTS.get(row.name, row.default))
        for row in (guidance if one.own_name == guidance.own_name else one for one in taken.rows)
        if row.own_name != "guidance_scale"
    )
    own = {row.own_name: row.default for row in rows if row.name in DEFAULTS}
    return replace(taken, rows=rows, unasked={**own, "guidance_scale": 1.0, "negative_prompt": ""})


def find_unknown_words(pipe: Any, prompt: str) -> Iterator[str]:
    """Yield the words of a prompt that the model's tokenizer does not know, each once and as typed."""
    tokenizer = pipe.tokenizer_2
    tokens = tokenizer(prompt, return_offsets_mapping=True)
    places = zip(tokens["input_ids"], tokens["offset_mapping"], strict=True)
    yield from dict.fromkeys(prompt[begin:end] for token, (begin, end) in places if token == tokenizer.unk_token_id)
