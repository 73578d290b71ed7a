"""The stored image that answers a request in place of a provider, and the error if there has to be one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..errors import FluxError, NotInStore, format_count
from ..parameters.settings import get_shared_folders
from ..providers.base import Provider
from ..providers.log import get_logger
from ..records.record import compute_replay_key
from ..records.store import Stored, open_store
from ..results.generation import Generation, replay
from ..types import STAND_IN, ImageRequest
from .target import Target

_log = get_logger(__name__)


async def find_drawing(provider: Provider) -> str | None:
    """Return the version of the drawing of a Space that is a stand-in; None of any other."""
    try:
        return (await provider.describe()).stand_in
    except FluxError:  # the job will meet this error again, and report it better
        return None


def describe_request(request: ImageRequest) -> str:
    """Return a request in words: its prompt, seed, and what else was asked for."""
    steps = format_count(request.steps, "step") if request.steps is not None else ""
    size = f"{request.width}x{request.height}" if request.width and request.height else ""
    others = [f"{name} {value}" for name, value in request.parameters.items()]
    number = len(request.images)
    images = format_count(number, "image") if number else ""
    return ", ".join(filter(None, (repr(request.prompt[:60]), f"seed {request.seed}", steps, size, *others, images)))


@dataclass(frozen=True, slots=True)
class Replay:
    """A search of the stores for the image of a request.

    Attributes:
        request: the request.
        target: where its image would be made.
        skipped: what was found in place of the image, and is damaged: a line each.
    """

    request: ImageRequest
    target: Target
    skipped: list[str] = field(default_factory=list)

    @property
    def _may_replay(self) -> bool:
        wanted = self.target.settings.replay != "off" or self.target.unasked
        return bool(wanted) and not self.request.chosen and not self.request.randomize_seed

    async def find_or_raise(self) -> Generation | None:
        """Return the stored generation of a place that is known without asking; None if the place is to be asked.

        Raises NotInStore if it may not be.
        """
        found = None
        if self._may_replay:
            found = await self._find(*self.target.known_identities())
        else:
            why = 'replay is "off"' if self.target.settings.replay == "off" else "no seed was given"
            _log.info("the store is not looked at: %s", why)
        if found is None and self.target.unasked:
            raise self._not_in_store()
        return found

    async def find_of_stand_in(self, provider: Provider) -> Generation | None:
        """Return the stored generation if a Space with an address on this machine turns out to be a stand-in."""
        if not self._may_replay or not self.target.is_loopback:
            return None
        drawing = await find_drawing(provider)
        return await self._find(f"local:{drawing}") if drawing else None

    async def _find(self, *identities: str) -> Generation | None:
        """Return the stored generation of the first of these places that has one."""
        store = open_store(self.target.settings)
        for identity, request in self._list_asked(identities):
            key = self.compute_key(identity, request)
            stored = await asyncio.to_thread(store.find, key)
            what = f"the image is in the store: {stored.path.name}" if stored else "no image in the store"
            _log.info("%s: Space %s, key %s", what, identity, key[:12])
            for line in store.skipped:
                _log.info("%s", line)
            self.skipped.extend(line for line in store.skipped if line not in self.skipped)
            if stored is not None:
                return self._again(stored, request)
        return None

    def compute_key(self, identity: str, request: ImageRequest) -> str:
        """Return the replay key of a request as the place with this identity is asked."""
        label, model = self.target.key_names
        return compute_replay_key(
            provider=label,
            model=STAND_IN if identity.startswith("local:") else model,
            space=identity,
            prompt=request.prompt,
            seed=request.seed,
            steps=request.steps,
            width=request.sent_width,
            height=request.sent_height,
            parameters=request.sent_parameters,
            images=[one.record for one in request.images],
        )

    def _list_asked(self, identities: Sequence[str]) -> Iterator[tuple[str, ImageRequest]]:
        """Yield the places with the request as each of them is asked.

        Earlier versions sent every Space the defaults of the default model. If no Space may be asked, what these made
        is found too.
        """
        filled = self.target.fill_stand_in(self.request)
        for identity in identities:
            yield identity, filled if identity.startswith("local:") else self.request
        if self.target.unasked and filled != self.request:
            yield from ((identity, filled) for identity in identities if not identity.startswith("local:"))

    def _again(self, stored: Stored, request: ImageRequest) -> Generation:
        """Return a stored generation as the answer to a request: what was asked for is this request's."""
        record = replace(
            stored.record,
            requested_steps=request.steps,
            requested_prompt=request.as_typed,
            requested_model=self.target.asked or request.model,
            requested_seed=request.seed,
            requested_width=request.width,
            requested_height=request.height,
            requested_parameters=request.parameters,
        )
        return replay(request, Stored(record, stored.path), self.target.settings, "; ".join(self.skipped))

    def _not_in_store(self) -> NotInStore:
        request, why = self.request, self.target.unasked
        what = describe_request(request)
        of_the_hub = why.startswith("HF_")
        unasked = f"with {why} no Space{' of the Hub' if of_the_hub else ''} is asked"
        if self.target.space is None:
            unasked = f"with {why} nothing is asked of {self.target.name}"
        give = f"Unset {why.partition('=')[0]} to ask it, or give" if of_the_hub else "Give"
        if not self._may_replay:
            return NotInStore(
                f"{request.prompt[:60]!r} has no seed, and {unasked}",
                f"{give} the seed of an image that is in flux_images or in the store.",
            )
        others, hint = "", "Run the cell on a machine with a network, then: flux-magic export NOTEBOOK"
        if get_shared_folders(self.target.settings):
            others, hint = (
                " in the shared store, nor",
                "Do the Space, the steps and the size match the original?",
            )
        if of_the_hub:
            hint = f"{give} --space local, which needs no network."
        return NotInStore(
            f"not in flux_images, nor{others} in the store, and {unasked}: {what}, {self.target.name}",
            "; ".join(self.skipped) or hint,
        )
