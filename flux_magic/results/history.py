"""What was made before, as a gallery: small pictures of the store's last jobs, with the cell of each."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from ..errors import FluxError, InvalidRequest, few, without_controls
from ..images import codecs
from ..parameters.settings import Settings
from ..records.record import request_of
from ..records.store import Store, Stored, plain_digest, store_of
from ..types import UNKNOWN, printable
from .generation import Generation, replay
from .generations import Generations
from .notes import MOST_NOTES
from .table import escaped, html_text, pre

LONGEST: Final = 160
"""Pixels of a small picture's longer side."""

_LONGEST_PROMPT: Final = 300

_LIST = "display:flex;flex-wrap:wrap;gap:16px;padding:0;margin:0;list-style:none"
_ITEM = "width:200px;overflow-wrap:anywhere"
_PROMPT = "margin:0;padding:0;font:inherit;white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal"
_CELL = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;user-select:all;margin:4px 0 0;font-size:smaller"


class History(Generations):
    """Generations of the store, the newest first, or of a client, the newest last; a notebook shows a gallery.

    Attributes:
        notes: what was skipped on the way, a line each.
    """

    def __init__(
        self, items: Sequence[Generation], notes: Sequence[str] = (), searched: str = "", *, nothing: str = ""
    ) -> None:
        super().__init__(items)
        self.notes = tuple(map(without_controls, notes))
        searched = without_controls(searched)
        self._nothing = f"no image in the store with {searched!r}" if searched else nothing or "no images in the store"

    def __repr__(self) -> str:
        listed = [f"{one!r} {printable(one.prompt)[:60]}" for one in self]
        return "\n".join([*(listed or [self._nothing]), *few(self.notes, MOST_NOTES)])

    def _repr_html_(self) -> str:
        if not self:
            return "".join(f"<p>{html_text(line)}</p>" for line in repr(self).split("\n"))
        items = "".join(_item(one) for one in self)
        notes = "".join(f"<p>{html_text(note)}</p>" for note in few(self.notes, MOST_NOTES))
        return f'<ul style="{_LIST}">{items}</ul>{notes}'

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True)


def history(settings: Settings, *, last: int = 20, search: str = "") -> History:
    """The store's last jobs, or the last of those whose prompt has all the words of `search`."""
    store = store_of(settings)
    found = store.search(search) if search.strip() else iter(store)
    return History(list(islice(_generations(found, store, settings), last)), store.skipped, search.strip())


def find(settings: Settings, digest: str) -> Generation:
    """Return the newest image of the store whose digest begins so; raise InvalidRequest if it has none."""
    store = store_of(settings)
    for generation in _generations(iter(store.with_digest(plain_digest(digest))), store, settings):
        return generation
    raise InvalidRequest(
        f"there is no file {digest}, and no image in the store with that digest: %flux_history shows those there are"
    )


def delete(settings: Settings, digest: str) -> int:
    """Take an image out of the store by the first digits of its digest; returns how many jobs made it.

    Raises InvalidRequest where none or more than one image has such a digest, StoreError.
    """
    store = store_of(settings)
    found = store.with_digest(digest)
    start = plain_digest(digest)
    digests = {file.digest for one in found for file in one.record.files if file.digest.startswith(start)}
    if not found and any(file.digest.startswith(start) for one in store for file in one.record.files):
        raise InvalidRequest(
            f"the image {digest[:70]} is in flux_images or in a shared store, where nothing is deleted"
        )
    if not found:
        raise InvalidRequest(f"no image in the store has the digest {digest[:70]}: %flux_history shows those there are")
    if len(digests) > 1:
        listed = ", ".join(sorted(one[:16] for one in digests))
        raise InvalidRequest(f"{len(digests)} images have a digest that begins so: give more digits of {listed}")
    for stored in found:
        store.delete(stored)
    return len(found)


def _generations(found: Iterator[Stored], store: Store, settings: Settings) -> Iterator[Generation]:
    for stored in found:
        try:
            request = request_of(stored.record)
        except FluxError as error:
            store.skipped.append(f"{stored.path.name} is skipped: {error.message}")
            continue
        yield replay(request, stored, settings)


def _item(generation: Generation) -> str:
    prompt, started = generation.prompt, generation.record.circumstances.started
    seed = UNKNOWN if generation.seed is None else generation.seed
    facts = f"{generation.width}×{generation.height}, seed {seed}, {generation.steps} steps"
    shown = prompt if len(prompt) <= _LONGEST_PROMPT else f"{prompt[: _LONGEST_PROMPT - 1]}…"
    return (
        f'<li style="{_ITEM}">{_image(generation, escaped(prompt))}{pre(shown, _PROMPT)}'
        f"<small>{facts}<br>{escaped(started[:16].replace('T', ' '))} · {generation.digest[:12]}</small>"
        f"<details><summary>cell</summary>{pre(generation.command(), _CELL)}</details></li>"
    )


def _image(generation: Generation, alt: str) -> str:
    try:
        small = base64.b64encode(codecs.thumbnail(generation.data, LONGEST)).decode()
    except FluxError as error:
        return f"<p>{html_text(error.message)}</p>"
    return f'<img src="data:image/jpeg;base64,{small}" alt="{alt}">'
