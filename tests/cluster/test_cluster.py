"""Images that the workers of a real Dask cluster make, into the caller's store."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, ClassVar

import psutil
import pytest
from distributed import Client, Security
from distributed.core import Status

import flux_magic
from flux_magic import cli
from flux_magic.client import cluster_link, cluster_local, cluster_order
from flux_magic.errors import (
    ClusterUnavailable,
    FluxError,
    Incomplete,
    InvalidRequest,
    MissingExtra,
    NotEnoughMemory,
)
from flux_magic.parameters import settings
from flux_magic.parameters.settings import Settings
from flux_magic.providers import local, registry
from flux_magic.providers.diffusers.worker import worker
from flux_magic.records.store import Store
from flux_magic.results.generation import Generation
from flux_magic.types import ImageRequest, Running
from tests.cluster.conftest import run_cluster
from tests.support.kernel import Cell, run_kernel
from tests.support.limits import PATIENCE, PROGRAM
from tests.support.sleeper import OnGpu, Sleeper

ROOT = str(Path(__file__).parents[2])
NOWHERE = "tcp://127.0.0.1:1"


def sweep(cluster: object, seeds: range, seconds: float = 0.2, **options: Any) -> flux_magic.Generations:
    kept = {"provider": Sleeper, "cluster": cluster, "quiet": True, "parameters": {"seconds": seconds}, **options}
    return flux_magic.sweep("a fox", seed=list(seeds), **kept)


def list_store(folder: Path | None = None) -> list[Any]:
    """Return the seeds of the images in the store, and see that only whole images are in it."""
    folder = folder or Path(os.environ["FLUX_MAGIC_STORE"])
    kept = [one.record.seed for one in Store(folder, None)]
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part")]
    assert len(files) == 2 * len(kept), "an image and a record each, and no mark of the run"
    return sorted(filter(lambda seed: seed is not None, kept))


def wait_for(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def find_processes(dask: Any) -> list[int]:
    with closing(Client(dask)) as client:
        return sorted(client.run(os.getpid).values())


def test_a_sweep_is_made_by_all_workers_and_what_is_in_the_store_is_not_sent_again(dask: Any) -> None:
    events: list[Any] = []
    made = sweep(dask.scheduler_address, range(12), on_event=events.append)
    assert [image.seed for image in made] == list(range(12)) == list_store()
    makers = Counter(image.record.circumstances.details["process"] for image in made)
    assert sorted(map(int, makers)) == find_processes(dask)
    assert (made[3].record.provider, made[3].record.space) == ("Sleeper", "provider:Sleeper")
    assert not any(word in made[3].command() for word in ("cluster", "tcp"))
    assert {event.total for event in events if isinstance(event, Running)} == {10}
    assert made.grid().size[0] > 8
    assert made[0].data == Path(str(made[0].path)).read_bytes()
    again = sweep(NOWHERE, range(12))
    assert all(image.replayed for image in again)
    assert [image.digest for image in again] == [image.digest for image in made]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda dask: dask.scheduler_address, id="an address"),
        pytest.param(lambda dask: dask, id="a cluster"),
        pytest.param(Client, id="a client"),
    ],
)
def test_a_cluster_is_given_in_each_form_and_to_each_call(dask: Any, given: Callable[[Any], Any]) -> None:
    cluster = given(dask)
    one = {"provider": Sleeper, "cluster": cluster}
    try:
        assert isinstance(flux_magic.generate("one", seed=1, quiet=True, **one), Generation)
        assert [image.seed for image in flux_magic.generate("some", seed=5, count=3, quiet=True, **one)] == [5, 6, 7]
        requests = [ImageRequest("many", seed=seed) for seed in (3, 3, 4)]
        assert sorted(image.seed or 0 for image in flux_magic.generate_many(requests, store=False, **one)) == [3, 3, 4]
        assert len(asyncio.run(flux_magic.AsyncClient(**one).generate("async", seed=8, count=2))) == 2
        assert flux_magic.submit("behind", seed=9, **one).result(timeout=PATIENCE).seed == 9
        assert list_store() == [1, 5, 6, 7, 8, 9, 9]
    finally:
        if isinstance(cluster, Client):
            assert cluster.status == "running", "it is the user's"
            cluster.close()


def test_a_file_of_prompts_is_made_by_a_cluster(
    dask: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "_registered", [Sleeper])  # as the caller's process alone knows it
    Path("prompts.csv").write_text("prompt,seed\na fox,1\nan owl,2\na fish,x\n")
    line = ["batch", "prompts.csv", "--out", "out", "--provider", "sleeper", "--cluster", dask.scheduler_address]
    assert cli.main(line) == 1
    told = capsys.readouterr()
    assert told.out.startswith("2 of 3 images are in out; ")
    assert "line 4: seed x" in told.err.replace("seed is 'x'", "seed x")
    assert len(list(Path("out").glob("*.png"))) == 2


def test_workers_that_do_not_see_the_store_send_the_images(dask: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    number = os.open(tmp_path / "mine", os.O_RDONLY)  # in another process this path is no folder
    try:
        made = sweep(dask, range(4), 0, store=f"/proc/self/fd/{number}")
        assert [image.data[:4] for image in made] == [b"\x89PNG"] * 4
        assert list_store(tmp_path / "mine") == [0, 1, 2, 3]
        assert [image.path for image in sweep(dask, range(2), 0, store=False)] == [None, None]
    finally:
        os.close(number)


def test_an_interrupt_ends_what_runs_and_a_second_run_makes_what_is_missing(dask: Any) -> None:
    requests = [ImageRequest("a fox", seed=seed, parameters={"seconds": 2}) for seed in range(8)]
    images = flux_magic.generate_many(requests, provider=Sleeper, cluster=dask)
    first = next(images)
    images.close()
    with closing(Client(dask)) as client:

        def find_tasks() -> list[object]:
            here = client.run(lambda dask_worker: [*dask_worker.state.tasks])
            there = client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.tasks])
            return [*there, *(key for keys in here.values() for key in keys)]

        wait_for(lambda: not find_tasks())
    before = list_store()
    assert first.seed in before
    assert len(before) < 8
    again = list(flux_magic.generate_many(requests, provider=Sleeper, cluster=dask))
    assert sorted(image.seed or 0 for image in again if image.replayed) == before
    assert list_store() == list(range(8))


def find_pids(dask: Any) -> set[int | None]:
    """Return the local Spaces that the workers have started."""
    with closing(Client(dask)) as client:
        return {*client.run(lambda: __import__("flux_magic.providers.local").providers.local.shared.pid).values()}


def test_the_local_space_starts_once_for_all_workers(dask: Any) -> None:
    given: dict[str, Any] = {"space": "local", "size": "256x256", "quiet": True}
    made = flux_magic.sweep("a fox", seed=range(6), cluster=dask, **given)
    assert (find_pids(dask), local.shared.running) == ({None}, True)
    assert {(one.record.space, one.record.requested_space) for one in made} == {
        (f"local:{local.read_drawing()}", "local")
    }
    assert all(one.replayed for one in flux_magic.sweep("a fox", seed=range(6), **given))
    local.shared.close()


def test_a_borrowed_space_that_has_ended_is_not_asked_again() -> None:
    space = local.LocalSpace(private=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        space.borrow(f"http://127.0.0.1:{server.getsockname()[1]}", "its secret")
        assert (asyncio.run(space.has_ended(0.1)), space.running, space.secret) == (False, True, "its secret")
        assert asyncio.run(space.get_address()) == space.address
    assert (asyncio.run(space.has_ended()), space.running, space.address) == (True, False, "")


def count_tasks(cluster: Any) -> int:
    """Return how many tasks the scheduler of this process has seen."""
    return len({key for key, *_ in cluster.scheduler.transition_log if "flux-image" in str(key)})


@pytest.fixture(scope="module")
def gpus() -> Iterator[Any]:
    """Yield a cluster of two workers with a GPU each, and four threads, in this process."""
    with run_cluster(processes=False, threads_per_worker=4, resources={"GPU": 1}) as cluster:
        with closing(Client(cluster)) as client:
            client.gather(client.map(time.sleep, [0.1] * 8, pure=False))  # the threads are there from the beginning
        yield cluster


def test_requests_of_one_shape_go_as_batches_one_at_a_time_to_each_gpu(gpus: Any) -> None:
    before, Sleeper.most_at_work = count_tasks(gpus), 0
    sizes = ["8x8"] * 8 + ["16x16"] * 6
    requests = [ImageRequest("a fox", seed=seed, width=int(size.split("x")[0])) for seed, size in enumerate(sizes)]
    events: list[Any] = []
    own: dict[str, Any] = {"provider": OnGpu, "cluster": gpus, "batch": 4, "parameters": {"seconds": 0.5}}
    made = flux_magic.generate_many([*requests, *requests[:2]], on_event=events.append, caption="{seed}", **own)
    assert sorted((image.seed, image.caption) for image in made) == sorted(
        (seed, str(seed)) for seed in (*range(14), 0, 1)
    )
    assert count_tasks(gpus) - before == 4, "two of four images, and of the other shape one of four and one of two"
    assert Sleeper.most_at_work == 8
    assert list_store() == [*range(14)], "the same image is made once"
    Sleeper.most_at_work = 0
    assert len(sweep(gpus, range(20, 26), provider=OnGpu, batch=1)) == 6
    assert Sleeper.most_at_work == 2


def test_what_a_batch_has_too_little_memory_for_fails_as_an_image_does(gpus: Any) -> None:
    with pytest.raises(Incomplete, match=r"4 of 4 .* does not fit into the memory \(on the worker inproc://\S+\)$"):
        sweep(gpus, range(4), 0, provider=OnGpu, parameters={"small": str(os.getpid())})
    assert list_store() == []


def test_an_interrupt_of_batches_ends_what_runs_and_what_has_not_begun(gpus: Any) -> None:
    requests = [ImageRequest("a fox", seed=seed, parameters={"seconds": 100 * (seed > 3)}) for seed in range(40)]
    images = flux_magic.generate_many(requests, provider=OnGpu, cluster=gpus)
    first = [next(images).seed for _ in range(4)]
    images.close()
    wait_for(lambda: not Sleeper.at_work and not gpus.scheduler.tasks)
    assert {*first} == {*list_store()} == {0, 1, 2, 3}
    before = count_tasks(gpus)
    again = flux_magic.generate_many([*requests[:4], ImageRequest("a fox", seed=9)], provider=OnGpu, cluster=gpus)
    assert sorted((image.seed, image.replayed) for image in again) == [*((seed, True) for seed in range(4)), (9, False)]
    assert count_tasks(gpus) == before + 1


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="the worker has torch")
def test_a_worker_without_torch_is_named(gpus: Any) -> None:
    Path("model").mkdir()
    Path("model/model_index.json").write_text("{}")
    with pytest.raises(MissingExtra, match=r"^the provider diffusers needs \w+, .* \(on the worker inproc://\S+\)"):
        sweep(gpus, range(4), provider="diffusers", model="model", parameters={}, size="64x64")
    worker.close()


def test_what_one_worker_has_too_little_memory_for_another_makes(dask: Any) -> None:
    one, two = find_processes(dask)
    made = sweep(dask, range(4), 0, parameters={"small": str(one)})
    assert {image.record.circumstances.details["process"] for image in made} == {str(two)}
    with pytest.raises(Incomplete, match=r"2 of 2 images failed; .* does not fit .* \(on the worker tcp://") as caught:
        sweep(dask, range(8, 10), 0, parameters={"small": f"{one} {two}"})
    assert isinstance(caught.value.failures[0], NotEnoughMemory)


def test_the_least_of_a_cluster_is_said_in_one_line(dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Client(dask)
    closed.close()
    monkeypatch.setattr(cluster_link, "_CONNECT", 1.0)
    for cluster, message in [
        (NOWHERE, r"no scheduler answers at tcp://127\.0\.0\.1:1: .*\nIs the address right, and the scheduler running"),
        ("tls://127.0.0.1:1", r"tls://127\.0\.0\.1:1 needs certificates that fit: "),
        (closed, r"the Client of Dask is closed"),
        ("tcp://here", r"cluster is 'tcp://here': give local, or an address such as tcp://scheduler:8786"),
        (7, r"cluster is 7: give local, "),
    ]:
        with pytest.raises((ClusterUnavailable, InvalidRequest), match=f"^{message}"):
            sweep(cluster, range(2))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r'^a cluster needs distributed, .*: pip install "flux-magic\[dask\]"$'):
        sweep(NOWHERE, range(2))


def test_a_worker_of_another_version_names_what_differs(dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = cluster_order.read_versions()
    monkeypatch.setattr(cluster_order, "read_versions", lambda: {**here, "Python": "2.7", "flux_magic": "0.0.1"})
    differs = f" has Python {here['Python']} for 2.7, flux_magic {here['flux_magic']} for 0.0.1"
    with pytest.raises(ClusterUnavailable, match=f"^the worker tcp://127.0.0.1:[0-9]+{differs}\nInstall the same"):
        sweep(dask, range(4))


@contextmanager
def run_worker(address: str, before: str) -> Iterator[None]:
    """Provide a cluster with a worker whose process runs a line of Python first."""
    code = f"import sys; {before}; from distributed.cli.dask_worker import main; main()"
    line = [sys.executable, "-c", code, address, "--no-nanny", "--no-dashboard", "--nthreads", "1"]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def test_a_worker_that_lacks_a_package_is_one_line() -> None:
    lacking = {
        f"sys.path.remove({ROOT!r})": r"^no flux_magic is installed on the worker tcp://127\S+\nInstall .* flux-m",
        "sys.modules['flux_magic.client.cluster_worker'] = None": r"^another version of flux_magic is .* worker tcp://127",
        "sys.modules['tests'] = None": r"^the module tests\S*, which the provider needs, is not .* the worker tcp://127",
    }
    with run_cluster(n_workers=0) as cluster:
        for before, message in lacking.items():
            with run_worker(cluster.scheduler_address, before), pytest.raises(ClusterUnavailable, match=message):
                sweep(cluster, range(3))


def test_a_token_is_in_no_task_and_workers_get_it_over_tls(capfd: pytest.CaptureFixture[str]) -> None:
    secret = "hf_" + "Sesame" * 5

    def read(dask_scheduler: Any) -> str:
        specs = [(key, repr(one.run_spec), pickle.dumps(one.run_spec)) for key, one in dask_scheduler.tasks.items()]
        return repr((specs, dask_scheduler.get_events()))

    def list_variables(dask_scheduler: Any) -> list[str]:
        return [*dask_scheduler.extensions["variables"].variables]

    with run_cluster(n_workers=1, protocol="tls", security=Security.temporary()) as cluster:
        requests = [ImageRequest("a fox", seed=seed, parameters={"seconds": 1}) for seed in range(6)]
        images = flux_magic.generate_many(requests, provider=Sleeper, cluster=cluster, token=secret)
        first = next(images)
        with closing(Client(cluster)) as client:
            seen = client.run_on_scheduler(read)
            made = [first, *images]
            wait_for(lambda: not client.run_on_scheduler(list_variables))
        with pytest.raises(ClusterUnavailable, match=r"^tls://.* needs certificates that fit: "):
            sweep(cluster.scheduler_address, range(100, 102))
    assert {image.record.circumstances.details["token"] for image in made} == {"given"}
    assert "flux-image" in seen
    assert secret not in "".join([seen, *capfd.readouterr()])


@pytest.mark.parametrize(
    ("address", "workers", "is_private"),
    [
        pytest.param("tls://10.0.0.5:8786", ["tls://10.0.0.6:1"], True, id="tls"),
        pytest.param("gateway://proxy.example:8786/a", [], True, id="a gateway's own TLS"),
        pytest.param("inproc://10.0.0.5/1/1", ["inproc://10.0.0.5/1/2"], True, id="this process"),
        pytest.param("tcp://127.0.0.1:8786", ["tcp://127.0.0.1:4", "tcp://[::1]:5"], True, id="this machine"),
        pytest.param("tcp://127.0.0.1:8786", ["tcp://127.0.0.1:4", "tcp://10.0.0.6:5"], False, id="a worker elsewhere"),
        pytest.param("tcp://10.0.0.5:8786", ["tcp://127.0.0.1:4"], False, id="a scheduler elsewhere"),
    ],
)
def test_secrets_travel_over_tls_or_on_this_machine(address: str, workers: list[str], *, is_private: bool) -> None:
    place = cluster_local.Place(address)
    link = cluster_link.Link(None, place, "run", is_here=place.is_here([address, *workers]))
    assert link.is_private is is_private
    token, proxy = Settings(token="hf_x"), Settings(proxy="http://me:pass@proxy.example")
    assert link.hide_secrets(token, is_paid=False) == ["token"], "a worker may have its own"
    for secret, is_paid in [(token, True), (proxy, False)]:
        if is_private:
            assert link.hide_secrets(secret, is_paid=is_paid)
        else:
            with pytest.raises(ClusterUnavailable, match=f"is not sent to {address}, which is not encrypted") as caught:
                link.hide_secrets(secret, is_paid=is_paid)
            assert not any(word in str(caught.value) for word in ("pass@", "hf_x"))


def test_a_worker_that_is_killed_loses_nothing_and_a_scheduler_that_dies_is_one_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with run_cluster() as cluster:
        victim = find_processes(cluster)[0]
        killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
        killer.start()
        made = sweep(cluster, range(16), 0.4)
        killer.join()
        assert [image.seed for image in made] == list(range(16)) == list_store()
        end = threading.Thread(target=cluster.close)

        def on_event(event: object) -> None:
            if isinstance(event, Generation) and not end.ident:
                end.start()

        with pytest.raises(ClusterUnavailable, match=r"^the connection to the scheduler at tcp://.* was lost") as lost:
            sweep(cluster, range(100, 160), 0.4, on_event=on_event)
        end.join()
        kept = {image.seed for image in vars(lost.value)["made"]}
        assert kept
        assert kept <= {*list_store()}
    assert "Traceback" not in "".join(capfd.readouterr())


SCRIPT = """
import sys, flux_magic
from tests.support.sleeper import Sleeper

if __name__ == "__main__":
    made = flux_magic.generate("a fox", seed=3, count=2, provider=Sleeper, cluster="local", quiet=True)
    print([image.seed for image in made], flux_magic.unload(), flux_magic.unload())
"""


def test_local_starts_workers_which_unload_ends(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))}
    ended = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, timeout=PROGRAM, env=environment
    )
    assert (ended.returncode, ended.stdout) == (0, "[3, 4] True False\n")
    said = ended.stderr.replace("CoverageWarning", "")  # a process that is measured may say so
    assert not any(word in said for word in ("Traceback", "Warning", "Error", "distributed"))


def test_an_interrupt_of_a_kernel_leaves_the_workers_of_local_alive(tmp_path: Path) -> None:
    """Jupyter interrupts all processes of a kernel's group, those that start as well."""
    setup = """
    %load_ext flux_magic
    import psutil, flux_magic
    from flux_magic.providers.registry import register_provider
    from tests.support.sleeper import Sleeper
    register_provider(Sleeper)
    """
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    sweep_of_six = "%flux --seed 1..6 --set seconds=1 --provider sleeper --cluster local --output made a fox"
    find_all = "sorted(one.pid for one in psutil.Process().children(recursive=True) if 'spawn' in str(one.cmdline()))"
    with run_kernel(tmp_path, PYTHONPATH=path) as kernel:
        kernel.run_ok(dedent(setup))
        kernel_process = psutil.Process(kernel.manager.provisioner.pid)  # type: ignore[union-attr]

        def has_begun(cell: Cell) -> bool:
            return "starting" in str(cell.updates) and len(kernel_process.children(recursive=True)) > 1

        starting = kernel.run_interrupted(sweep_of_six, has_begun)
        working = kernel.run_interrupted(sweep_of_six, lambda cell: "2 of 6 images" in str(cell.updates))
        assert [starting.error, working.error] == ["KeyboardInterrupt: "] * 2
        assert any("run it again" in note for note in working.notes)
        before = kernel.run_ok(f"print(len(made), {find_all})").stdout
        again = kernel.run_ok(sweep_of_six)
        after = kernel.run_ok(f"print(len(made), {find_all}, flux_magic.unload(), {find_all})").stdout
        assert before[0] in "2345"
        assert after == f"6{before[1:].rstrip()} True []\n"
        assert not any("Traceback" in one.stdout + one.stderr for one in (starting, working, again))


@pytest.mark.parametrize(
    ("of_cluster", "of_workers", "is_kept"),
    [
        pytest.param(Status.running, [Status.running, Status.closed], True, id="one is left"),
        pytest.param(Status.running, [Status.starting], True, id="it is started again"),
        pytest.param(Status.running, [Status.closing_gracefully, Status.closed], False, id="all have ended"),
        pytest.param(Status.closed, [Status.running], False, id="closed"),
    ],
)
def test_a_local_cluster_without_workers_is_replaced_and_one_that_does_not_end_is_no_error(
    of_cluster: Status, of_workers: list[Status], *, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Made:
        status = of_cluster
        workers: ClassVar[dict[int, Any]] = {at: SimpleNamespace(status=one) for at, one in enumerate(of_workers)}
        scheduler_address = "tcp://127.0.0.1:1"

        def close(self, timeout: float) -> None:
            raise TimeoutError(f"over {timeout} s")

    old, new = Made(), Made()
    new.status = Status.running
    monkeypatch.setattr(cluster_local, "_local", cluster_local._Local(old, os.getpid()))
    monkeypatch.setattr("distributed.LocalCluster", lambda **_: new)
    cluster_local.find_place("local")
    assert cluster_local._local.cluster is (old if is_kept else new)
    assert [cluster_local.close_local(), cluster_local.close_local()] == [True, False]


@pytest.mark.thorough
def test_500_images_survive_a_worker_that_is_killed_every_five_seconds() -> None:
    with run_cluster() as cluster:
        ended, killed = threading.Event(), 0

        def kill() -> None:
            nonlocal killed
            while not ended.wait(5):
                if len(cluster.scheduler.workers) == 2:  # on a busy machine one starts for longer than these seconds
                    os.kill([nanny.pid for nanny in cluster.workers.values()][killed % 2], signal.SIGKILL)
                    killed += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            begin = time.monotonic()
            made = sweep(cluster, range(500), 0.5)
            seconds = time.monotonic() - begin
        finally:
            ended.set()
            killer.join()
    print(f"500 images in {seconds:.0f} s, {killed} workers killed")
    assert killed > 2
    assert [image.seed for image in made] == list(range(500)) == list_store()
    assert made.grid().size[0] > 100


def test_settings_take_a_cluster_that_shapes_no_image() -> None:
    assert Settings(cluster="local").cluster == "local"
    assert settings.resolve(cluster="tls://scheduler.example:8786").cluster == "tls://scheduler.example:8786"
    with pytest.raises(FluxError, match=r"^cluster is 'scheduler:8786': give local, or an address such as tcp://sch"):
        Settings(cluster="scheduler:8786")
