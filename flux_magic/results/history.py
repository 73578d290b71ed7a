"""Gallery of earlier images: thumbnails of the store's most recent jobs, with the cell of each."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import FluxError, InvalidRequest, StoreError, format_count, list_few, replace_controls
from ..images import codecs
from ..parameters.arguments import merge_own
from ..parameters.settings import Settings, resolve
from ..records.inventory import SETTLED, Leftover, find_leftovers, format_size, measure, remove
from ..records.marks import NONE
from ..records.query import ALL, Query, build_query, describe_query
from ..records.record import compute_key, compute_keys
from ..records.store import Store, Stored, find_root, open_store, strip_prefix
from ..types import UNKNOWN, fit_one_line, make_printable
from . import marking
from .generation import Generation
from .generations import Generations
from .library import open_library, stream_generations
from .notes import MOST_NOTES
from .origin import SMALL, find_maker, render_small
from .table import escape, escape_html, keep_together, pre

if TYPE_CHECKING:
    import pandas as pd

MAGIC: Final = "%flux_history"
"""The name by which a notebook lists, marks and deletes images."""

LONGEST: Final = 160
"""Pixels of a thumbnail's longer side."""

_LONGEST_PROMPT: Final = 300

_LIST = "display:flex;flex-wrap:wrap;gap:16px;padding:0;margin:0;list-style:none;word-break:normal"
_ITEM = "width:168px;overflow-wrap:anywhere"
_PROMPT = "margin:0;padding:0;font:inherit;white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal"
_CELL = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;user-select:all;margin:4px 0 0;font-size:smaller"


class History(Generations):
    """Generations of the store, the newest first, or of a client, the newest last; a notebook shows a gallery.

    Attributes:
        notes: what was skipped, a line each.
        nothing: what is shown if there is no image.
        store: the size of the store, in words; empty for a client's images.
    """

    def __init__(
        self,
        items: Sequence[Generation],
        notes: Sequence[str] = (),
        *,
        nothing: str = "",
        store: str = "",
    ) -> None:
        super().__init__(items)
        self.notes = tuple(map(replace_controls, notes))
        self.store = store
        self.nothing = replace_controls(nothing) or "no images in the store"

    def __repr__(self) -> str:
        listed = [
            f"{_format_date(one):<16}  {one!r} {make_printable(one.prompt)[:60]}{_name_inputs(one)}" for one in self
        ]
        return "\n".join([*(listed or [self.nothing]), *self._list_remarks()])

    def _list_remarks(self) -> list[str]:
        return [*list_few(self.notes, MOST_NOTES), *([self.store] if self.store else [])]

    def _read_image(self, generation: Generation) -> bytes:
        """Return the image, or a smaller copy, of which a thumbnail is made."""
        return generation.data

    def _repr_html_(self) -> str:
        if not self:
            return "".join(f"<p>{escape_html(line)}</p>" for line in repr(self).split("\n"))
        items = "".join(_render_item(one, self._read_image) for one in self)
        notes = "".join(f"<p>{escape_html(note)}</p>" for note in self._list_remarks())
        return f'<ul style="{_LIST}">{items}</ul>{notes}'

    def to_pandas(self) -> pd.DataFrame:
        """Return the table of `Generations`, with the columns `starred` and `tags` (with spaces between).

        The search reads the records that it returns, some 0.5 ms each, and no others; the table opens no image.
        """
        table, library = super().to_pandas(), open_library(resolve())
        marked = [NONE if one.path is None else library.marks(one) for one in self]
        return table.assign(starred=[one.starred for one in marked], tags=[" ".join(one.tags) for one in marked])

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True)


def read_history(
    settings: Settings, *, last: int = 20, query: Query = ALL, sized: bool = True, named: bool = False
) -> History:
    """Return the most recent of all images that a call can see, or of those for which the query's conditions hold.

    Without `sized` the size of the store, which takes a while, is left out. What is `named` says where the store is,
    which a saved notebook should not. Raises InvalidRequest for conditions that cannot be.
    """
    store = open_store(settings)
    where = f"the store {make_printable(str(store.folder))}" if named and store.folder else "the store"
    held = _describe_size(store.folder, where) if sized else ""
    if query == ALL:  # the names say which are the newest: no other record is read
        listed = list(islice(stream_generations(iter(store), store, settings), last))
        nothing = "no images: the store is turned off" if store.folder is None else f"no images in {where}"
        return History(listed, store.skipped, nothing=nothing, store=held)
    library = open_library(settings)
    listed = library.find(query, number=last)
    off = ", which is turned off," if store.folder is None else ""
    nothing = f"no image in {where}{off} with {describe_query(query)}"
    return History(listed, library.skipped, nothing=nothing, store=held)


def answer(options: Mapping[str, Any], words: str, *, command: str = MAGIC) -> History | str:
    """Return the images that a line asks for; or mark or delete what it names, or clean the store, and say so in words.

    Raises InvalidRequest for options that do not go together, and StoreError as `mark`, `delete` and `clean` do.
    """
    settings = resolve()
    if options.keys() & {"mark", "unmark"}:
        return mark(settings, options, words, command=command)
    if digest := options.get("delete"):
        if words or options.keys() != {"delete"}:
            raise InvalidRequest(f"--delete takes no other option, and no words: {command} --delete {digest[:64]}")
        jobs = delete(settings, digest, command=command)
        return f"deleted {digest}" + (f", which {jobs} jobs made" if jobs > 1 else "")
    if options.get("clean") or options.get("yes"):
        if words or not options.keys() <= {"clean", "yes"} or not options.get("clean"):
            raise InvalidRequest(f"--clean takes no other option but --yes, and no words: {command} --clean --yes")
        return clean(settings, yes=options.get("yes", False), command=command)
    query, is_shell = build_line_query(options, words), command != MAGIC
    return read_history(settings, last=options.get("last", 20), query=query, named=is_shell)


def build_line_query(options: Mapping[str, Any], words: str) -> Query:
    """Return the query of a line's options and its words. Raises InvalidRequest for several values of one option."""
    given = merge_own({name: value for name, value in options.items() if name != "last"})
    searched, tags = f"{given.pop('search', '')} {words}".strip(), given.pop("tag", None)
    return build_query({**given, "words": searched, "tags": tags})


def _describe_size(folder: Path | None, where: str) -> str:
    held = measure(folder) if folder is not None else None
    return f"{where}: {held}" if held and held.files else ""


def clean(settings: Settings, *, yes: bool = False, command: str = MAGIC) -> str:
    """Return in words what could go from the store, or with `yes` remove it and say what is gone.

    Raises StoreError if there is no store, or if a file cannot be removed.
    """
    folder = open_store(settings).folder
    if folder is None:
        raise StoreError("there is no store: it is turned off")
    leftovers = find_leftovers(folder)
    found = [one for one in leftovers if one.is_settled]
    young = _describe_young(len(leftovers) - len(found))
    try:
        found = remove(found) if yes else found
    except OSError as error:
        raise StoreError(f"the store cannot be cleaned: {error.strerror or error}") from error
    if not found:
        return "\n".join([f"nothing to clean in the store: {measure(folder)}", *young])
    size = format_size(sum(one.size for one in found))
    lines = [f"{_count(found, 'file')}, {size}, {'deleted' if yes else 'could go'}:"]
    for kind in dict.fromkeys(one.kind for one in found):
        these = [one for one in found if one.kind == kind]
        lines.append(f"  {_count(these, kind)}, {format_size(sum(one.size for one in these))}")
        lines += [
            f"    {name}" for name in list_few([one.path.relative_to(folder).as_posix() for one in these], MOST_NOTES)
        ]
    nothing = [] if yes else [f"nothing was deleted: {command} --clean --yes deletes them"]
    return "\n".join([*lines, *young, *nothing])


def _describe_young(number: int) -> list[str]:
    """Return a line on files that may be left over, or on their way; none if there are none."""
    left = f"{format_count(number, 'file')} that changed in the last {SETTLED / 60:.0f} minutes "
    return [f"{left}{'is' if number == 1 else 'are'} left alone: another process may be at work"] if number else []


def _count(found: Sequence[Leftover], kind: str) -> str:
    noun, *more = re.split(r"(?= without | that )", kind, maxsplit=1)
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'}{''.join(more)}"


def mark(settings: Settings, options: Mapping[str, Any], words: str, *, command: str = MAGIC) -> str:
    """Mark the images that a line names by digest, or take marks off; return in words what each has now.

    Raises InvalidRequest for options that do not go together, and unless each digest is that of one image. Raises
    StoreError if the marks cannot be written.
    """
    name, starred, tags = "mark" if "mark" in options else "unmark", options.get("starred"), options.get("tag", ())
    if words or not options.keys() <= {name, "starred", "tag"}:
        raise InvalidRequest(
            f"--{name} takes --starred and --tag, and no words: {command} --{name} {options[name][0][:64]} --tag best"
        )
    if name == "mark" and not starred and not tags:
        raise InvalidRequest(
            f"--mark sets --starred, --tag or both: {command} --mark {options[name][0][:64]} --starred"
        )
    library = open_library(settings)
    store = open_store(settings)
    jobs = {one.path: one for digest in options[name] for one in _find_jobs(store, digest, command, in_all=True)}
    lines = []
    for one in stream_generations(jobs.values(), store, settings):
        marks = (
            marking.mark(library, one, tags, starred=starred)
            if name == "mark"
            else marking.unmark(library, one, tags, starred=bool(starred))
        )
        named = ", ".join([*["a star"] * marks.starred, *(f"#{tag}" for tag in marks.tags)])
        lines.append(f"{one.digest[:12]} {fit_one_line(one.prompt, 60)}: {named or 'no star, no tags'}")
    return "\n".join(list_few(lines, MOST_NOTES))


def find(settings: Settings, digest: str) -> Generation:
    """Return the newest stored image whose digest begins with these digits; raise InvalidRequest if no digest does."""
    store = open_store(settings)
    for generation in stream_generations(iter(store.find_digest(strip_prefix(digest))), store, settings):
        return generation
    raise InvalidRequest(
        f"there is no file {digest}, and no image in the store with that digest: %flux_history lists the images"
    )


def name_made(generation: Generation) -> str:
    """Return the name of an image for `find_made`: its digest and its replay key, as images may look the same."""
    return f"{generation.digest}:{compute_key(generation.record) or ''}"


def find_made(settings: Settings, names: Iterable[str]) -> Iterator[Generation]:
    """Yield the newest stored image of each name, as far as they are there."""
    store = open_store(settings)
    for name in names:
        digest, _, key = name.partition(":")
        makers = (one for one in store.find_makers(digest) if not key or key in compute_keys(one.record))
        yield from islice(stream_generations((one for one in makers if one.has_image), store, settings), 1)


def delete(settings: Settings, digest: str, *, command: str = MAGIC) -> int:
    """Delete an image from the store by the first digits of its digest, and return how many jobs made it.

    Raises InvalidRequest unless exactly one image has such a digest, and StoreError if it cannot be deleted.
    """
    store = open_store(settings)
    found = _find_jobs(store, digest, command)
    library = open_library(settings)
    for stored in found:
        store.delete(stored, library.list_needed(stored))
    return len(found)


def _find_jobs(store: Store, digest: str, command: str, *, in_all: bool = False) -> list[Stored]:
    """Return the jobs that made the one image whose digest begins so, in the own folder or in all that are read."""
    found = store.find_digest(digest, in_all=in_all)
    start = strip_prefix(digest)
    digests = {file.digest for one in found for file in one.record.files if file.digest.startswith(start)}
    if not found and not in_all and store.has_digest(start):
        raise InvalidRequest(
            f"the image {digest[:70]} is in flux_images or in a shared store, where nothing is deleted"
        )
    if not found:
        raise InvalidRequest(f"no image in the store has the digest {digest[:70]}: {command} lists the images")
    if len(digests) > 1:
        listed = ", ".join(sorted(one[:16] for one in digests))
        raise InvalidRequest(f"{len(digests)} images match this digest: give more digits of {listed}")
    return found


def trace(generation: Generation) -> History:
    """Return the images from the first to this one, each made of the one before, as far as the store has them."""
    settings = resolve()
    store = open_store(settings)
    if generation.path is not None:  # of a client with a store of its own
        store.shared = (*store.shared, find_root(generation.path))
    made, seen = [generation], {generation.digest}
    while made[0].record.images:
        maker = find_maker(made[0].record.images[0], store)
        found = [] if maker is None else list(stream_generations(iter([maker]), store, settings))
        if not found or found[0].digest in seen:
            break
        seen.add(found[0].digest)
        made.insert(0, found[0])
    return History(made)


def _format_date(generation: Generation) -> str:
    """Return the day and the minute in which an image was requested, in UTC."""
    started = generation.record.circumstances.started
    return "date unknown" if started == UNKNOWN else make_printable(started[:16].replace("T", " "))


def _name_inputs(generation: Generation) -> str:
    """Return what went into an image, in words; empty if nothing did."""
    origins = {one.record.digest: one.origin for one in generation.request.images}
    listed = [f"sha256:{one.digest[:12]} {origins.get(one.digest, '')}".rstrip() for one in generation.record.images]
    return f" <- {' + '.join(listed)}" if listed else ""


def _render_inputs(generation: Generation) -> str:
    """Return small copies of what went into an image, before it."""
    small = "".join(render_small(one, SMALL) for one in generation.request.images)
    names = escape_html(_name_inputs(generation).removeprefix(" <- "))
    return f"<small>{small}of {names}</small><br>" if names else ""


def _render_item(generation: Generation, read: Callable[[Generation], bytes]) -> str:
    prompt = generation.prompt
    seed = UNKNOWN if generation.seed is None else generation.seed
    steps = [] if generation.steps is None else [format_count(generation.steps, "step")]
    facts = keep_together([f"{generation.width}×{generation.height}", f"seed {seed}", *steps])
    shown = prompt if len(prompt) <= _LONGEST_PROMPT else f"{prompt[: _LONGEST_PROMPT - 1]}…"
    images = _render_inputs(generation) + _render_image(generation, escape(prompt), read)
    return (
        f'<li style="{_ITEM}">{images}{pre(shown, _PROMPT)}'
        f"<small>{facts}<br>{escape(_format_date(generation))}<br>{generation.digest[:12]}</small>"
        f"<details><summary>cell</summary>{pre(generation.command(), _CELL)}</details></li>"
    )


def _render_image(generation: Generation, alt: str, read: Callable[[Generation], bytes]) -> str:
    try:
        small = base64.b64encode(codecs.make_thumbnail(read(generation), LONGEST)).decode()
    except FluxError as error:
        return f"<p>{escape_html(error.message)}</p>"
    return f'<img src="data:image/jpeg;base64,{small}" alt="{alt}">'
