"""The client that blocks, and the one that all share: what a cell or a script calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast, overload
from weakref import finalize

from ..errors import Incomplete, InvalidArgument
from ..parameters.calls import check_class, takes
from ..parameters.settings import Settings
from ..results.generation import Generation
from ..results.generations import Generations
from ..results.notes import print_note
from ..sweeps.requests import build_requests, build_sweep_call
from . import blocking, many, runner
from .async_client import HISTORY, AsyncClient
from .batch import Tally
from .given import Requests, add_inputs, is_frame, load_given, read_requests, take_given
from .interact import make_interactable
from .options import CallOptions, ClientOptions, Conditions, OnEvent, Options, SweepOptions, check_callback, merge
from .submission import Latest, Submission, follow

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ..providers.base import ModelDescription
    from ..results.history import History
    from ..results.recall import Recalled
    from ..verify.discover import Paths
    from ..verify.report import Report


@check_class
class Client:
    """A client that makes images for a caller that blocks; `AsyncClient` does the same on a loop of your own.

    Args:
        options: those of `generate`, which its calls inherit if they leave them out; and `runner`: `thread` (a
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
        self._resolve({})  # a mistake is reported here, not at the first image
        finalize(self, runner.background.release_soon, self._async).atexit = False

    def _resolve(self, options: Mapping[str, Any]) -> Settings:
        return self._async.resolve({**self._runner, **options})

    @overload
    def generate(  # type: ignore[overload-overlap]  # mypy counts 1 as an int
        self, prompt: str, *, count: Literal[1] = 1, **options: Unpack[CallOptions]
    ) -> Generation: ...
    @overload
    def generate(self, prompt: str, *, count: int, **options: Unpack[CallOptions]) -> Generations: ...
    @make_interactable
    @takes(CallOptions)
    def generate(self, prompt: str, *, count: int = 1, **options: Any) -> Generation | Generations:
        """Make an image, and wait for it; an interrupt ends the wait and the job.

        Options left out come from the client, then `%config FluxMagics`, the environment, and the defaults.

        Args:
            prompt: what the image shows; sent as it is.
            count: above 1, as many images with successive seeds, one after the other.
            steps: inference steps, 1 or more (default 2).
            seed: 0 to 2147483647; a random one by default.
            width, height: pixels, rounded down to a multiple of 8 (default 768).
            size: both at once, as `"1024x768"` or `(1024, 768)`.
            model: its name or alias (default "flux"); `list_models()` has them.
            space: a Hugging Face id, a URL, or `local`; by default the model's own.
            cluster: a Dask cluster that makes the images: `local`, a scheduler's address (`tcp://…`, `tls://…`), or a
                `Client` of `dask.distributed`.
            token: a Hugging Face token, sent to that Space and to no other host.
            proxy: an http(s) proxy's URL.
            timeout: seconds for each image.
            concurrency: how many images of a sweep, or of several requests, are made at once, 1 to 16 (default 4).
            inline: how a notebook embeds it: `png`, `jpeg` or `link`.
            store: the folder that keeps it, False to keep nothing; by default one in the user's data folder.
            shared_store: a folder of others that is read before it; "off" reads none.
            replay: `auto` takes an image of a given seed from the store, `only` asks no Space, `off` always asks.
            fresh: True is `replay="off"`.
            metadata: False leaves the record out of the embedded and saved files.
            device, dtype, offload, batch: for the provider `diffusers`; `Settings` has their values.
            strip_credentials: True removes content credentials (C2PA) from them, so that the record can be embedded.
            sign: True signs them with your own key (`flux-magic key`): content credentials with the record.
            sign_as: the name that these give as the creator's; none if it is left out.
            caption: words that a notebook shows under the image, with its own values in them: `{seed}`, `{steps:02d}`.
                "" turns off a configured one.
            alt: alternative text of the image, for those who do not see it; by default the prompt.
            only_image: True shows the image in a notebook without the parameters that made it.
            image: what goes in, for a model that edits: a Generation, a Pillow image, an array of NumPy, bytes, a path,
                a URL, or `sha256:` and digits of an image in the store; a list for a model that takes several.
            mask: an image of the same size, white where the image may change.
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
        (on_event, quiet), given = _take_callback(options), take_given(options)
        settings = self._resolve(options)
        asked = build_requests(prompt, settings, count, has_images=bool(given))
        requests = list(add_inputs(asked, load_given(given, settings)))
        coming = blocking.iterate_generations(requests, settings, quiet=quiet, client=self._async, on_event=on_event)
        made = list(coming)
        return made[0] if len(made) == 1 else Generations(made)

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

        Raises InvalidRequest at once for a request that cannot be sent; `result()` raises all other errors.
        """
        (on_event, _), given = _take_callback(options), take_given(options)
        settings = self._resolve(options)
        latest = Latest(on_event, can_await=False)
        asked = build_requests(prompt, settings, count, has_images=bool(given))
        requests = list(add_inputs(asked, load_given(given, settings)))
        job = follow(lambda: self._async.make_all(requests, settings, latest), latest)
        return Submission(runner.background.submit(job, keep=self._async), latest)

    @takes(CallOptions)
    def generate_many(self, requests: Requests, **options: Unpack[CallOptions]) -> many.Images:
        """Make an image of each request, several at once, and yield each as it is finished, in any order.

        Only as many images are made ahead as are made at once, so a slow reader holds up the others and memory stays
        flat. An interrupt ends the jobs.

        Args:
            requests: any number of them; each is taken when there is room for it. One is an ImageRequest, a prompt, or
                a dict. Or a data frame of pandas or polars, whose rows are requests and whose columns are parameters:
                `prompt`, in which `{column}` is replaced, `seed`, `steps`, `size`, `guidance`, `model`, `space`,
                `image`, `set.shift`. The names in a dict are the same.
            options: those of `generate`, for requests that leave them out; `concurrency` says how many are made at
                once.

        Example::

            >>> requests = (flux_magic.ImageRequest("a fox", seed=seed) for seed in range(3))
            >>> sorted(fox.seed for fox in flux_magic.generate_many(requests))
            [0, 1, 2]

        Raises, when all others are done, Incomplete if some failed; at once what would fail for the rest as well
        (no quota, no connection, no such Space: `flux_magic.errors.HOPELESS`).
        """
        own: Any = options
        (on_event, _), given = _take_callback(own), take_given(own)
        settings = self._resolve(own)
        each: Any = read_requests(requests, merge(self._async.options, {**self._runner, **own}), given)
        if not is_frame(requests) and given:
            each = add_inputs(each, load_given(given, settings))
        coming = many.generations(each, settings, self._async, on_event)
        return many.Images(coming, requests if is_frame(requests) else None)

    @overload
    def sweep(
        self, prompt: str, *, count: int = 1, pairs: bool = False, **values: Unpack[SweepOptions]
    ) -> Generations: ...
    @overload
    def sweep(self, prompt: str, *, count: int = 1, pairs: bool = False, **values: Any) -> Generations: ...
    @takes(SweepOptions)
    def sweep(self, prompt: str, *, count: int = 1, pairs: bool = False, **values: Any) -> Generations:
        """Make an image for every combination of the options given as lists, and wait for all of them.

        Everything that is not a list is held constant, including the seed; without one a random seed is chosen.

        Args:
            prompt: what the images show; `{name}` in it takes each value of the list with this name, and `{red|blue}`
                each of these words.
            count: above 1, adds an axis of that many successive seeds.
            pairs: True walks all lists together, which then have one length: an image for each pair, not for each
                combination.
            values: the options of `generate`, of which `seed`, `steps`, `width`, `height` and `size` (`"512x768"`) take
                a list as well; and the lists for the prompt. `image` and `mask` are the same for all images.

        Returns Generations, indexed by position or by axis and shown as one sheet.

        Example::

            >>> foxes = flux_magic.sweep("a {colour} fox", colour=["red", "blue"], steps=[1, 2, 4], seed=42, quiet=True)
            >>> len(foxes), foxes.sel(colour="blue", steps=4).prompt
            (6, 'a blue fox')
            >>> story = flux_magic.sweep("a {colour} fox", colour=["red", "blue"], seed=[7, 8], pairs=True, quiet=True)
            >>> len(story), story.sel(colour="blue").seed
            (2, 8)

        Raises the errors of `generate`, and Incomplete at the end if some failed. Any exception, also an interrupt, has
        the finished images as `made`.
        """
        (on_event, quiet), given = _take_callback(values), take_given(values)
        options = merge(self._async.options, {**self._runner, **values})
        asked, settings, typed = build_sweep_call(prompt, options, count, has_images=bool(given), pairs=pairs)
        for line in (*typed.notes, *(f"{{{name}}} is sent as typed: it has no value" for name in typed.missing)):
            print_note(line)
        asked = replace(asked, requests=tuple(add_inputs(asked.requests, load_given(given, settings))))
        tally = Tally(asked, settings, "seed={}")
        try:
            many.gather(tally, settings, quiet=quiet, client=self._async, on_event=on_event)
        except BaseException as stop:
            vars(stop)["made"] = tally.collect_generations()
            if not isinstance(stop, Incomplete):
                print_note(tally.describe_progress())
            raise
        return tally.collect_generations()

    def recall(self, image: str | os.PathLike[str] | Generation) -> Recalled:
        """Return what made an image, and the cell that makes it again.

        Args:
            image: a file, an http(s) URL (requested without a token), or a Generation.

        Example::

            >>> fox = flux_magic.generate("a red fox", steps=4, seed=42, quiet=True)
            >>> flux_magic.recall(fox).options["seed"]
            42

        Raises InvalidRequest if there is no such file, NotAnImage, and RecordError if it does not say what made it. For
        a URL it also raises what any request does.
        """
        from .recall import recall_here, recall_url

        found = recall_here(image)
        return blocking.run(recall_url(found, self._resolve({}))) if isinstance(found, str) else found

    def verify(
        self,
        paths: Paths,
        *,
        space: str | None = None,
        provider: str | None = None,
        concurrency: int = 2,
        static: bool = False,
    ) -> Report:
        """Regenerate images from their records, and check that they are the same; an interrupt ends the jobs.

        Args:
            paths: images, folders and saved notebooks: one, or several.
            space: the Space to ask for all of them. By default each record's own Space is asked, if that is the model's
                public one, `local`, or the configured one.
            provider: an engine that is asked for the images that it made, as in `inference`; one that costs money is
                asked only if it is named.
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
        return verify(paths, space=space, provider=provider, concurrency=concurrency, static=static, options=own)

    @takes(Conditions)
    def history(self, last: int = HISTORY, **values: Any) -> History:
        """Return the recent images of this process, the newest last: the shared client's, by any magic, panel or call.

        With a condition it returns those of the store for which all conditions hold, the newest first. That includes
        other processes' images, shared stores, and `flux_images` beside the notebook. `search=""` alone holds for all.

        Args:
            last: how many at the most; the last 50 of a process are remembered. A search reads only the records that
                it returns, some 0.5 ms each.
            values: conditions. `search` has words of the prompt or parts of them, in any case and order; `#fox` is a
                tag, `is:starred` a star. `model` has those of the model's name. `seed`, `steps`, `width`, `height`,
                `size` and any other parameter have one value. `after` and `before` are days or times, in UTC if they
                name no zone; `before` itself is not included. `starred=True` and `tags`, all of them, are marks.

        Example::

            >>> fox = flux_magic.generate("a red fox", seed=42, quiet=True)
            >>> flux_magic.history()[-1] is fox
            True
            >>> flux_magic.history(search="fox red", seed=42, last=1)[0].digest == fox.digest
            True
            >>> frame = flux_magic.history(search="fox", last=1000).to_pandas()  # doctest: +SKIP

        Raises InvalidRequest if `last` is not a number of images, or a condition cannot be.
        """
        return self._async.history(last, **values)

    @takes(Options)
    def fetch_description(self, **options: Any) -> ModelDescription | None:
        """Return what the model at hand takes: its parameters with their ranges, choices and defaults.

        Returns None if its Space may not be asked, or if it is the local one and does not run yet.

        Example::

            >>> flux_magic.Client(space="local").fetch_description() is None  # until it makes an image
            True

        Raises as `generate`.
        """
        return blocking.fetch_description(self._resolve(options), self._async)

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


class _Shared(Client):
    """A client over the connections that the magics and the panel keep."""

    __slots__ = ()

    def __init__(self) -> None:
        self._runner, self._async = {}, blocking.shared


shared = _Shared()
"""The client of the magics and the panel, and of `flux_magic.generate` and its like."""

generate = shared.generate
generate_many = shared.generate_many
sweep = shared.sweep
submit = shared.submit
recall = shared.recall
history = shared.history
