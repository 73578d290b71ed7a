"""The freeing of what was loaded for the next images: a pipeline here, and those of workers on this machine."""

from __future__ import annotations

import concurrent.futures

from ..parameters.calls import check_call
from ..providers.diffusers.worker import unload_soon
from . import cluster_local, runner


@check_call
def unload() -> bool:
    """Free the memory of the pipeline that `--provider diffusers` has loaded, after the image that is being made.

    The workers of `--cluster local` end as well, with the pipelines that they have loaded. Returns True if there was
    something to free. The next image loads it again.

    Example::

        >>> flux_magic.unload()
        False
    """
    has_ended = cluster_local.close_local()
    if (freed := unload_soon()) is None:
        return has_ended
    while not freed.done():  # in slices: on Windows nothing else lets an interrupt in
        concurrent.futures.wait([freed], timeout=runner.SLICE)
    return freed.result() or has_ended
