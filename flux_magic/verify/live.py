"""The check that asks a Space: each record makes its picture once more, and the two are compared."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from ..client import progress, runner
from ..client.async_client import AsyncClient
from ..client.merge import merged
from ..client.target import resolve_target
from ..errors import FluxError, InvalidRequest, Stopped, is_hopeless
from ..parameters.addresses import Space
from ..parameters.calls import checked
from ..parameters.settings import Settings, check_concurrency, is_offline, resolve
from ..records.record import request_of
from ..results.generation import Generation
from ..types import Record, one_line
from .discover import Paths, Subject, find_subjects, reason
from .report import Report
from .static import check_static, examined_all
from .verdict import Examined, Verdict, judge_live, judge_static

Step = tuple[int, int, str]
"""How many are done, of how many, and the label of the last one."""

NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})

Told = Callable[[int, int, str], object]
"""Is told each step."""


async def check(
    paths: Paths,
    *,
    space: str | None = None,
    concurrency: int = 2,
    told: Told | None = None,
    keep: bool = True,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> Report:
    """Whether the pictures of notebooks, images and folders are still what their records make.

    Each is compared with its record first, then made anew by one request, never from a store, and graded.

    Args:
        paths: a notebook, image or folder of both, or several.
        space: asked for all of them; by default each record's own Space, where that is the model's public one,
            `local`, or the configured one.
        concurrency: how many are made at once, 1 to 16.
        told: called on this loop, first with 0 done, then as each is.
        keep: whether the verdicts hold the pictures, which only `report_html` shows.
        options: of the client that checks; its Space counts as the configured one.

    Raises InvalidRequest where `space` is none, and where no Space may be asked (FLUX_MAGIC_REPLAY=only); Stopped
    where `cancel_all` ended it. An error of a Space is a part of the report. Cancelling ends the jobs on their way.
    """
    async with aclosing(checking(paths, space=space, concurrency=concurrency, keep=keep, options=options)) as steps:
        async for step in steps:
            if isinstance(step, Report):
                return step
            if told is not None:
                told(*step)
    raise Stopped("the check was ended")


async def checking(
    paths: Paths,
    *,
    space: str | None = None,
    concurrency: int = 2,
    keep: bool = True,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> AsyncGenerator[Step | Report, None]:
    """As `check`: how far it is, first with 0 done, and last what it found. Closing it ends the jobs on their way."""
    check_concurrency(concurrency)
    refuse_offline()
    if space:
        Space.parse(space)
    found = await asyncio.to_thread(find_subjects, paths)
    problems = list(found.problems)
    examined = await asyncio.to_thread(examined_all, found.subjects, problems)
    async with AsyncClient() as client:
        items = [_item(subject, seen, space, options, keep=keep) for subject, seen in examined]
        run = _Run(items, client, keep=keep)
        async with aclosing(run.finish(concurrency)) as steps:
            async for step in steps:
                yield step
    yield Report(tuple(item.verdict for item in run.items if item.verdict), found.others, tuple(problems), live=True)


@dataclass(slots=True)
class _Item:
    """One picture on its way to a verdict; `settings` are those of its request, None where none is sent."""

    subject: Subject
    examined: Examined
    settings: Settings | None = None
    verdict: Verdict | None = None


def _item(subject: Subject, seen: Examined, space: str | None, options: Mapping[str, Any], *, keep: bool) -> _Item:
    """With its verdict, where that is known without asking."""
    why = ""
    if seen.checkable and seen.record is not None:
        try:
            settings = settings_for(seen.record, space, options)
        except InvalidRequest as error:
            why = reason(error)
        else:
            if isinstance(settings, Settings):
                return _Item(subject, seen, settings)
            why = settings
    return _Item(subject, seen, verdict=judge_static(subject, seen, why, passes=False, keep=keep))


@dataclass(slots=True)
class _Run:
    """A check in progress: `hopeless` has the Spaces that are asked no more, and why."""

    items: list[_Item]
    client: AsyncClient
    keep: bool
    hopeless: dict[str | None, str] = field(default_factory=dict)

    async def finish(self, concurrency: int) -> AsyncGenerator[Step, None]:
        """Give every item its verdict, some at once."""
        asked = [(item, item.settings) for item in self.items if item.settings is not None]
        each = (self._judged(item, settings) for item, settings in asked)
        done = 0
        yield done, len(asked), ""
        async with aclosing(merged(each, concurrency)) as finished:
            async for _, item in finished:
                done += 1
                yield done, len(asked), item.subject.label

    async def _judged(self, item: _Item, settings: Settings) -> AsyncGenerator[_Item, None]:
        item.verdict = await self._verdict(item.subject, item.examined, settings)
        yield item

    async def _verdict(self, subject: Subject, seen: Examined, settings: Settings) -> Verdict:
        why = self.hopeless.get(settings.space, "")
        try:
            if not why:
                made = await _made(seen.recorded, settings, self.client)
                # Decoding and measuring are the processor's work, for a thread.
                return await asyncio.to_thread(judge_live, subject, seen, made, keep=self.keep)
        except Stopped:
            raise
        except (FluxError, OSError) as error:
            why = reason(error)
            if is_hopeless(error):
                self.hopeless[settings.space] = why
        return judge_static(subject, seen, why, passes=False, keep=self.keep)


async def _made(record: Record, settings: Settings, client: AsyncClient) -> Generation:
    """What the record makes now: sizes as they were sent, since that is what made it."""
    sent = replace(record, requested_width=record.width, requested_height=record.height)
    return await client.make(request_of(sent), settings)


@checked
def verify(
    paths: Paths,
    *,
    space: str | None = None,
    concurrency: int = 2,
    static: bool = False,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> Report:
    """As `check`, for a caller that blocks: under a progress bar; an interrupt ends the jobs.

    `static` asks no Space.
    """
    if static:
        return check_static(paths)
    how = runner.get(resolve(**options).runner)
    with (
        runner.interruptible(),
        progress.counting("made anew") as told,
        closing(how.iterate(checking(paths, space=space, concurrency=concurrency, options=options))) as coming,
    ):
        for step in coming:
            if isinstance(step, Report):
                return step
            if step is not None:
                told(*step)
    raise Stopped("the check was ended")


def refuse_offline() -> None:
    """Raises InvalidRequest where no Space may be asked at all."""
    if is_offline():
        raise InvalidRequest("no Space is asked where FLUX_MAGIC_REPLAY=only: add --static to compare with the records")


def settings_for(record: Record, other: str | None, options: Mapping[str, Any] = NO_OPTIONS) -> Settings | str:
    """Return the settings that regenerate a record's picture, or why its Space is not asked.

    Raises InvalidRequest as `_settings_for` does.
    """
    settings = _settings_for(record, other, options)
    if isinstance(settings, Settings) and (why := resolve_target(settings, record.requested_model).unasked):
        return f"not asked: {why}"
    return settings


def _settings_for(record: Record, other: str | None, options: Mapping[str, Any]) -> Settings | str:
    """The settings that make a record's picture anew, or why its Space is not asked.

    Asked is `other`, where one is named; else the record's own, if that is the configured one, `local`, or the model's
    public one. A token that was configured goes to the configured one alone.

    Raises InvalidRequest for a model or a Space that there is none of.
    """
    if other:
        return _asking(other, options)
    configured = _asking(None, options)
    own = resolve_target(replace(configured, space=None), record.requested_model)
    if configured.space and record.space == resolve_target(configured, record.requested_model).identity:
        return configured
    if not record.stand_in and record.space != own.identity:
        return _not_asked(record.space.removeprefix("hf:"))
    if not record.stand_in and not configured.space:
        return replace(configured, space=own.provider.own_space() or None)  # where its token goes in any case
    others = {name: value for name, value in options.items() if name != "token"}  # it is for the client's own Space
    return _asking("local" if record.stand_in else own.provider.own_space() or None, others)


def _not_asked(name: str) -> str:
    """Why not, and what asks it: a record may have been made to be copied into a shell."""
    said = f"not asked: it was made by {one_line(name, 200)}"
    try:
        return f"{said}; to ask it, add --space {shlex.quote(Space.parse(name).name)}"
    except InvalidRequest:
        return said


def _asking(space: str | None, options: Mapping[str, Any]) -> Settings:
    """What is made is neither taken from a store, nor kept, and carries no record."""
    own = {"replay": "off", "store": False, "metadata": False}
    settings = resolve(**{**options, **own, "space": space or options.get("space")})
    if settings.space:
        Space.parse(settings.space)
    return settings
