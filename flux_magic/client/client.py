"""The client that blocks, and the one that all share: what a cell or a script calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast, overload
from weakref import finalize

from ..errors import Incomplete, InvalidArgument
from ..parameters.calls import checked_class, takes
from ..parameters.settings import Settings
from ..results.generation import Generation
from ..results.generations import Generations
from ..results.notes import note
from ..sweeps.requests import plan, sweep_of
from ..types import ImageRequest
from . import blocking, many, runner
from .async_client import HISTORY, AsyncClient
from .batch import Tally
from .interact import interactable
from .options import CallOptions, ClientOptions, OnEvent, Options, SweepOptions, check_callback, merge
from .submission import Latest, Submission, follow

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ..results.history import History
    from ..results.recall import Recalled
    from ..verify.discover import Paths
    from ..verify.report import Report


@checked_class
class Client:
    """Makes images for a caller that blocks; `AsyncClient` does the same on a loop of your own.

    Args:
        options: those of `generate`, which its calls inherit where they leave them out; and `runner`: `thread` (a
            background loop, the default) or `nest` (the caller's own loop, by nest-asyncio).

    Its connection is kept between images until it is closed, by `close()` or `with`, or dropped.

    Example::

        >>> with flux_magic.Client(steps=4, store=False) as client:
        ...     fox = client.generate("a red fox", seed=42)
        >>> fox.seed, fox.steps
        (42, 4)

    Raises InvalidArgument for another option, and InvalidRequest for a value that is not allowed.
    """

    __slots__ = ("__weakref__", "_async", "_runner")

    @takes(ClientOptions)
    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        own: Any = {name: value for name, value in options.items() if name != "runner"}
        self._runner = {"runner": options.get("runner")}
        self._async = AsyncClient(**own)
        self._settings({})  # a mistake shows here, not at the first image
        finalize(self, runner.background.release_soon, self._async).atexit = False

    @classmethod
    def _over(cls, asynchronous: AsyncClient) -> Self:
        made = cls()
        made._async = asynchronous
        return made

    def _settings(self, options: Mapping[str, Any]) -> Settings:
        return self._async.resolved({**self._runner, **options})

    @overload
    def generate(  # type: ignore[overload-overlap]  # mypy counts 1 as an int
        self, prompt: str, *, count: Literal[1] = 1, **options: Unpack[CallOptions]
    ) -> Generation: ...
    @overload
    def generate(self, prompt: str, *, count: int, **options: Unpack[CallOptions]) -> Generations: ...
    @interactable
    @takes(CallOptions)
    def generate(self, prompt: str, *, count: int = 1, **options: Any) -> Generation | Generations:
        """Make an image, and wait for it; an interrupt ends the wait and the job.

        What is left out is taken from the client, `%config FluxMagics`, the environment, then the defaults.

        Args:
            prompt: what the image shows; sent as it is.
            count: above 1, as many images with successive seeds, one after the other.
            steps: inference steps, 1 or more (default 2).
            seed: 0 to 2147483647; a random one by default.
            width, height: pixels, rounded down to a multiple of 8 (default 768).
            size: both at once, as `"1024x768"` or `(1024, 768)`.
            model: its name or alias (default "flux"); `list_models()` has them.
            space: a Hugging Face id, a URL, or `local`; by default the model's own.
            token: a Hugging Face token for that Space, and no other host.
            proxy: an http(s) proxy's URL.
            timeout: seconds for each image.
            concurrency: how many images of a sweep, or of several requests, are made at once, 1 to 16 (default 4).
            inline: how a notebook embeds it: `png`, `jpeg` or `link`.
            store: the folder that keeps it, False to keep nothing; by default one in the user's data folder.
            shared_store: a folder of others that is read before it; "off" reads none.
            replay: `auto` takes an image of a given seed from the store, `only` asks no Space, `off` always asks.
            fresh: True is `replay="off"`.
            metadata: False leaves what made it out of the files that are embedded and saved.
            strip_credentials: True takes content credentials (C2PA) out of them, so that the record goes inside.
            on_event: a function that gets each event: Waiting, Queued, Running, Log, Preview, last the Generation. An
                exception in it ends the job, and is raised as it is.
            quiet: True shows no progress.

        Returns a Generation, or Generations for a count above 1.

        Example::

            >>> fox = flux_magic.generate("a red fox in the morning mist", steps=4, seed=42, quiet=True)
            >>> fox.prompt, fox.seed
            ('a red fox in the morning mist', 42)

        Raises InvalidRequest, LocalSpaceError, ConnectionFailed, TimedOut, NotInStore or ResponseError: each is a
        FluxError.
        """
        on_event, quiet = _take_callback(options)
        settings = self._settings(options)
        made = list(self._made(plan(prompt, settings, count), settings, on_event, quiet=quiet))
        return made[0] if len(made) == 1 else Generations(made)

    def _made(
        self, requests: Sequence[ImageRequest], settings: Settings, on_event: OnEvent | None, *, quiet: bool
    ) -> Iterator[Generation]:
        return blocking.generations(requests, settings, quiet=quiet, client=self._async, on_event=on_event)

    @overload
    def submit(  # type: ignore[overload-overlap]  # mypy counts 1 as an int
        self, prompt: str, *, count: Literal[1] = 1, **options: Unpack[CallOptions]
    ) -> Submission[Generation]: ...
    @overload
    def submit(self, prompt: str, *, count: int, **options: Unpack[CallOptions]) -> Submission[Generations]: ...
    @takes(CallOptions)
    def submit(self, prompt: str, *, count: int = 1, **options: Any) -> Submission[Any]:
        """Start a job on the background loop, and return its handle at once; as `generate`, and never with a bar.

        `on_event` is called on a thread of its own, one event after the other.

        Example::

            >>> job = flux_magic.submit("a red fox", seed=42)
            >>> job.result(timeout=60).seed
            42
            >>> job.status
            'done'

        Raises InvalidRequest at once for what cannot be sent; the rest is raised by `result()`.
        """
        on_event, _ = _take_callback(options)
        settings = self._settings(options)
        latest = Latest(on_event, can_await=False)
        requests = plan(prompt, settings, count)
        job = follow(lambda: self._async.make_all(requests, settings, latest), latest)
        return Submission(runner.background.submit(job, keep=self._async), latest)

    @takes(CallOptions)
    def generate_many(self, requests: Iterable[ImageRequest], **options: Unpack[CallOptions]) -> many.Images:
        """Make an image of each request, some at once, and give each as it is finished, in whatever order.

        No more are made ahead than are at work at once, so a slow reader holds the others up, and memory stays flat. An
        interrupt ends the jobs.

        Args:
            requests: as many as there are; they are taken one by one, as there is room.
            options: of `generate`, for requests that leave them out; `concurrency` says how many are made at once.

        Example::

            >>> requests = (flux_magic.ImageRequest("a fox", seed=seed) for seed in range(3))
            >>> sorted(fox.seed for fox in flux_magic.generate_many(requests))
            [0, 1, 2]

        Raises, when all others are done, Incomplete if some failed; at once what would fail for the rest as well
        (no quota, no connection, no such Space: `flux_magic.errors.HOPELESS`).
        """
        on_event, _ = _take_callback(options)
        return many.Images(many.generations(requests, self._settings(options), self._async, on_event))

    @overload
    def sweep(self, prompt: str, *, count: int = 1, **values: Unpack[SweepOptions]) -> Generations: ...
    @overload
    def sweep(self, prompt: str, *, count: int = 1, **values: Any) -> Generations: ...
    @takes(SweepOptions)
    def sweep(self, prompt: str, *, count: int = 1, **values: Any) -> Generations:
        """Make an image for every combination of what is given as a list, and wait for all of them.

        What is no list is the same for all, the seed too: without one a random seed is chosen.

        Args:
            prompt: what the images show; `{name}` in it is each of the values that are given by this name, and
                `{red|blue}` each of these.
            count: above 1, an axis of as many successive seeds.
            values: the options of `generate`, of which `seed`, `steps`, `width`, `height` and `size` (`"512x768"`) take
                a list as well; and the lists for the prompt.

        Returns Generations, indexed by position or by axis, whose picture is one sheet.

        Example::

            >>> foxes = flux_magic.sweep("a {colour} fox", colour=["red", "blue"], steps=[1, 2, 4], seed=42, quiet=True)
            >>> len(foxes), foxes.sel(colour="blue", steps=4).prompt
            (6, 'a blue fox')

        Raises as `generate`; at the end Incomplete if some failed. Whatever is raised, an interrupt too, has what is
        finished as `made`.
        """
        on_event, quiet = _take_callback(values)
        asked, settings, typed = sweep_of(prompt, merge(self._async.options, {**self._runner, **values}), count)
        for line in (*typed.notes, *(f"{{{name}}} is sent as typed: it is not given" for name in typed.missing)):
            note(line)
        tally = Tally(asked, settings, "seed={}")
        try:
            many.gather(tally, settings, quiet=quiet, client=self._async, on_event=on_event)
        except BaseException as stop:
            vars(stop)["made"] = tally.generations()
            if not isinstance(stop, Incomplete):
                note(tally.left())
            raise
        return tally.generations()

    def recall(self, image: str | os.PathLike[str] | Generation) -> Recalled:
        """Return what made an image, and the cell that makes it again.

        Args:
            image: a file, or an http(s) URL, which is asked without any token; or a Generation.

        Example::

            >>> fox = flux_magic.generate("a red fox", steps=4, seed=42, quiet=True)
            >>> flux_magic.recall(fox).options["seed"]
            42

        Raises InvalidRequest if there is no such file, NotAnImage, RecordError if it does not say what made it, and as
        any request for a URL that cannot be read.
        """
        from .recall import recall_here, recall_url

        found = recall_here(image)
        return blocking.run(recall_url(found, self._settings({}))) if isinstance(found, str) else found

    def verify(self, paths: Paths, *, space: str | None = None, concurrency: int = 2, static: bool = False) -> Report:
        """Make images again from their records, and say if they are the same; an interrupt ends the jobs.

        Args:
            paths: images, folders and saved notebooks: one, or several.
            space: asked for all of them; by default each record's own Space, if that is the model's public one,
                `local`, or the configured one.
            concurrency: how many are made at once, 1 to 16.
            static: True asks no Space: are these still the images of their records?

        Example::

            >>> paths = flux_magic.generate("a red fox", seed=42, quiet=True).save("fox.png")
            >>> flux_magic.verify(paths, static=True).passed
            True

        Raises InvalidRequest for what is no path or no Space, or if no Space may be asked, and Stopped.
        """
        from ..verify.live import verify

        own = {**self._async.options, **self._runner}
        return verify(paths, space=space, concurrency=concurrency, static=static, options=own)

    def history(self, last: int = HISTORY) -> History:
        """Return the last images of this process, the newest last: of the shared client by any magic, panel or call.

        Args:
            last: how many at the most; the last 50 are remembered. `%flux_history` shows all that the store has.

        Example::

            >>> fox = flux_magic.generate("a red fox", quiet=True)
            >>> flux_magic.history()[-1] is fox
            True

        Raises InvalidRequest if `last` is no number of images.
        """
        return self._async.history(last)

    @takes(Options)
    def bounds(self, **options: Any) -> Mapping[str, tuple[int, int]] | None:
        """Return the least and the most that a Space takes, by option, of those that it names.

        A Space is asked once a process; None if it may not be asked, or if it is the local one and does not run yet.
        Raises as `generate`.
        """
        return blocking.bounds(self._settings(options), self._async)

    def close(self) -> None:
        """Close the connection; the next image opens another."""
        if runner.background.has(self._async):
            runner.background.run(runner.background.release(self._async))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> NoReturn:
        raise InvalidArgument("a Client blocks: write async with flux_magic.AsyncClient(…), or with Client(…)")

    async def __aexit__(self, *_: object) -> None:
        """Never reached: a class needs both."""


def _take_callback(options: Any) -> tuple[OnEvent | None, bool]:
    """Take `on_event` and `quiet` out of the options of a call."""
    on_event = options.pop("on_event", None)
    check_callback(on_event)
    return cast("OnEvent | None", on_event), bool(options.pop("quiet", False))


shared = Client._over(blocking.shared)  # noqa: SLF001 - of this module
"""The client of the magics and the panel, and of `flux_magic.generate` and its like."""

generate = shared.generate
generate_many = shared.generate_many
sweep = shared.sweep
submit = shared.submit
recall = shared.recall
history = shared.history
