"""A kernel for each file that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.kernel import Kernel, run_kernel


@pytest.fixture(scope="module")
def kernel(space: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Yield a kernel in an empty folder, with the extension loaded and the local Space as its Space."""
    with run_kernel(tmp_path_factory.mktemp("notebooks"), FLUX_MAGIC_SPACE=space) as running:
        running.run_ok("import flux_magic\n%load_ext flux_magic")
        yield running
