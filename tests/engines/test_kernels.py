"""A pipeline in real kernels: steps and previews in the slot, an interrupt, unloading, two kernels at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.support.kernel import Cell, run_kernel


def has_step(cell: Cell) -> bool:
    """Return True if a step is shown with an unfinished image above its bar."""
    shown = "".join(one["data"].get("text/html", "") for one in cell.updates)
    return "data:image/jpeg;base64," in shown and "step " in shown


def test_a_cell_shows_its_steps_is_interrupted_and_the_next_one_runs_in_two_kernels(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    store = {"FLUX_MAGIC_STORE": str(tmp_path / "shared"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    line = f"%%flux --provider diffusers --model '{folders['flux']}' --size 64x64 --seed 7"
    begin = "import flux_magic, threading\n%load_ext flux_magic\n%config FluxMagics.device = 'cpu'"
    with run_kernel(tmp_path, **store) as one, run_kernel(tmp_path, **store) as two:
        one.run_ok(begin)
        two.run_ok(begin)
        stopped = one.run_interrupted(f"{line} --steps 3000\na fox", has_step)
        assert (stopped.status, stopped.error) == ("error", "KeyboardInterrupt: ")
        assert stopped.updates[-1]["data"] == {}, "the slot is empty at the end"
        sent = two.send(f"{line} --steps 2 --fresh\na fox")
        made = one.run_ok(f"{line} --steps 2 --fresh\na fox")
        other = two.wait(sent)
        assert other.status == "ok", other.error
        assert made.get_shown("image/png")[0].startswith("iVBOR")
        again = two.run_ok(f"{line} --steps 2 --output fox\na fox\n")
        assert two.run_ok("print(fox.replayed)").stdout == "True\n"
        carried = next(one["metadata"]["flux_magic"] for one in again.outputs if "image/png" in one["data"])
        assert str(folders["flux"].parent) not in json.dumps(carried), "no path of this machine"
        assert carried["record"]["circumstances"]["details"]["device"] == "cpu"
        loaded = "print('flux_magic diffusers' in [one.name for one in threading.enumerate()])"
        assert one.run_ok(loaded).stdout == "True\n"
        one.run_ok("%unload_ext flux_magic")
        assert one.run_ok("print(flux_magic.unload())").stdout == "False\n", "unloading the extension freed it"
        wrong = two.run(f"{line.replace('diffusers', 'diffuser')}\na fox")
        assert "there is no provider 'diffuser'" in wrong.traceback
