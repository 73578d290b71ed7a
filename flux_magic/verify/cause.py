"""Why a picture that was made anew is another one: what the two records say of where and how they were made."""

from __future__ import annotations

import json
from typing import Final

from ..types import UNKNOWN, Circumstances, Record
from .words import one_line

_NAMES: Final = {
    "space_commit": "the Space's commit",
    "weights": "the model's weights",
    "hardware": "the hardware",
    "gradio": "the Space's Gradio",
    "version": "flux_magic",
}


def differences(old: Record, new: Record) -> list[str]:
    """What was otherwise, the likeliest cause first."""
    found = [_space(old, new)] if old.space != new.space else []
    if _models_differ(old, new):
        found.append(f"model: {one_line(old.model, 80)} -> {one_line(new.model, 80)}")
    found += _sent(old, new)
    before, after = old.circumstances, new.circumstances
    found += [_told(name, before, after) for name in _NAMES]
    return [line for line in [*found, _decoder(before.decoder, after.decoder)] if line]


def _models_differ(old: Record, new: Record) -> bool:
    """Return if both name a model that somebody told; records of before name the one that was asked for."""
    told = (one for one in (old, new) if not one.model.startswith(UNKNOWN))
    return old.model != new.model and sum(1 for _ in told) == 2 and old.model != new.key_model


def _sent(old: Record, new: Record) -> list[str]:
    """Return how the values that went along differ; records of before have none."""
    if not old.sent or not new.sent:
        return []
    names = [name for name in {**old.sent, **new.sent} if old.sent.get(name, _GONE) != new.sent.get(name, _GONE)]
    return [f"the Space's {one_line(name, 40)} was {_value(old, name)}, is {_value(new, name)}" for name in names]


_GONE: Final = object()


def _value(record: Record, name: str) -> str:
    return one_line(json.dumps(record.sent[name], ensure_ascii=False), 40) if name in record.sent else "not sent"


def _space(old: Record, new: Record) -> str:
    if old.stand_in and new.stand_in:
        drawing, now = (record.space.removeprefix("local:") for record in (old, new))
        return f"the local Space's drawing was {one_line(drawing, 40)}, is {one_line(now, 40)}"
    return f"the Space: {one_line(old.space, 80)} -> {one_line(new.space, 80)}"


def _told(name: str, before: Circumstances, after: Circumstances) -> str:
    was, now = (str(getattr(around, name)) for around in (before, after))
    known = UNKNOWN not in {was, now}
    return f"{_NAMES[name]}: {one_line(was, 40)} -> {one_line(now, 40)}" if known and was != now else ""


def _decoder(was: str, now: str) -> str:
    """The libraries whose versions differ: `decoder: Pillow 11.0, libwebp 1.4 -> Pillow 12.3, libwebp 1.6`."""
    if UNKNOWN in {was, now} or was == now:
        return ""
    before, after = was.split(", "), now.split(", ")
    gone, come = ([part for part in parts if part not in other] for parts, other in ((before, after), (after, before)))
    return f"decoder: {one_line(', '.join(gone), 80) or 'less'} -> {one_line(', '.join(come), 80) or 'less'}"
