"""Which Space a record's picture is asked of: nobody's whom the person at this machine has not named."""

from __future__ import annotations

import shlex
from dataclasses import replace

from ..destination import identity_of, why_unasked
from ..errors import InvalidRequest
from ..providers import get_provider
from ..settings import Settings, is_offline, resolve
from ..types import Record, Space
from .words import one_line


def refuse_offline() -> None:
    """Raises InvalidRequest where no Space may be asked at all."""
    if is_offline():
        raise InvalidRequest("no Space is asked where FLUX_MAGIC_REPLAY=only: add --static to compare with the records")


def settings_for(record: Record, other: str | None) -> Settings | str:
    """Return the settings that regenerate a record's picture, or why its Space is not asked.

    Raises InvalidRequest as `_settings_for` does.
    """
    settings = _settings_for(record, other)
    if isinstance(settings, Settings) and (why := why_unasked(get_provider(record.requested_model), settings)):
        return f"not asked: {why}"
    return settings


def _settings_for(record: Record, other: str | None) -> Settings | str:
    """The settings that make a record's picture anew, or why its Space is not asked.

    Asked is `other`, where one is named; else the record's own, if that is the configured one, `local`, or the model's
    public one. A token that was configured goes to the configured one alone.

    Raises InvalidRequest for a model or a Space that there is none of.
    """
    if other:
        return _asking(other)
    configured = _asking(None)
    provider = get_provider(record.requested_model)
    if configured.space and record.space == identity_of(provider, configured.space, None)[0]:
        return configured
    own, _ = identity_of(provider, None, None)
    if not record.stand_in and record.space != own:
        return _not_asked(record.space.removeprefix("hf:"))
    if not record.stand_in and not configured.space:
        return replace(configured, space=provider.own_space())  # where its token goes in any case
    return _asking("local" if record.stand_in else provider.own_space())


def _not_asked(name: str) -> str:
    """Why not, and what asks it: a record may have been made to be copied into a shell."""
    said = f"not asked: it was made by {one_line(name, 200)}"
    try:
        return f"{said}; to ask it, add --space {shlex.quote(Space.parse(name).name)}"
    except InvalidRequest:
        return said


def _asking(space: str | None) -> Settings:
    """What is made is neither taken from a store, nor kept, and carries no record."""
    settings = resolve(space=space, replay="off", store=False, metadata=False)
    if settings.space:
        Space.parse(settings.space)
    return settings
