"""`%config FluxMagics`, reloading and unloading, in a real kernel."""

from __future__ import annotations

import IPython
import pytest

from tests.support.kernel import Kernel, run_kernel


def test_config_sets_what_no_option_says_and_an_option_wins(kernel: Kernel) -> None:
    kernel.run_ok("%config FluxMagics.steps = 3\n%config FluxMagics.width = 320\n%config FluxMagics.seed = 11")
    kernel.run_ok("%flux --steps 1 --height 256 --output fox --quiet a fox")
    values = kernel.run_ok("print(fox.steps, fox.width, fox.height, fox.seed)").stdout
    kernel.run_ok("%config FluxMagics.steps = None\n%config FluxMagics.width = None\n%config FluxMagics.seed = None")
    assert values == "1 320 256 11\n"


def test_config_counts_for_generate_as_well(kernel: Kernel) -> None:
    kernel.run_ok("%config FluxMagics.steps = 5\nimport flux_magic")
    made = kernel.run_ok("print(flux_magic.generate('a fox', width=256, height=256, quiet=True).steps)").stdout
    kernel.run_ok("%config FluxMagics.steps = None")
    assert made == "5\n"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        pytest.param("steps = 0", "stays None: steps is 0: give a whole number from 1 up", id="steps"),
        pytest.param("seed = -1", "from 0 to 2147483647, or None for a random one", id="seed"),
        pytest.param("inline = 'gif'", "inline is 'gif': give any of ", id="inline"),
        pytest.param("runner = 'threads'", "stays 'thread': runner is 'threads': give any of ", id="runner"),
        pytest.param("store = '/proc/x'", "no file can be made in /proc", id="store"),
        pytest.param("shared_store = '$NOPE'", "the environment has no variable NOPE", id="shared store"),
        pytest.param("space = 'lcal'", "did you mean local?", id="space"),
        pytest.param("model = 'fluxx'", "there is no model 'fluxx': choose one of", id="model"),
        pytest.param("size = '16:9'", "did you mean '1344x768'?", id="size"),
        pytest.param("token = 'hf_canary two'", "FluxMagics.token stays None: the token holds a space", id="token"),
        pytest.param("proxy = 'nowhere'", "give one such as http://proxy.example:3128", id="proxy"),
        pytest.param("timeout = 0", "timeout is 0.0: give seconds above 0", id="timeout"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_and_changes_nothing(kernel: Kernel, setting: str, words: str) -> None:
    name = setting.split(maxsplit=1)[0]
    before = kernel.run_ok(f"%config FluxMagics.{name}").get_shown("text/plain")
    told = kernel.run(f"%config FluxMagics.{setting}").stderr
    assert words in told
    assert told.count("\n") == 1
    assert "canary" not in told
    assert kernel.run_ok(f"%config FluxMagics.{name}").get_shown("text/plain") == before
    assert kernel.run_ok("%reload_ext flux_magic").stderr == ""


def test_a_setting_that_does_not_exist_is_told_and_a_size_is_both_sides(kernel: Kernel) -> None:
    assert "has no setting sise: did you mean size?" in kernel.run("%config FluxMagics.sise = '1x1'").stderr
    assert "did you mean guidance?" in kernel.run("%config FluxMagics.guidance_scale = 3").stderr
    assert kernel.run_ok("%config FluxMagics.size = '320x256'\n%config FluxMagics.height = 264").stderr == ""
    try:
        assert kernel.run_ok("%config FluxMagics.size").get_shown("text/plain") == ["'320x264'"]
        kernel.run_ok("%flux --output fox --quiet a fox")
        assert kernel.run_ok("print(fox.width, fox.height)").stdout == "320 264\n"
    finally:
        kernel.run_ok("%config FluxMagics.size = None")
    assert kernel.run_ok("%config FluxMagics.width").get_shown("text/plain") == []


def test_a_reload_keeps_the_configuration_and_leaves_one_instance(kernel: Kernel) -> None:
    kernel.run_ok("%config FluxMagics.steps = 7")
    reloaded = kernel.run_ok("%reload_ext flux_magic\n%reload_ext flux_magic")
    assert (reloaded.stdout, reloaded.stderr) == ("", "")
    counted = kernel.run_ok(
        "ip = get_ipython()\n"
        "print(sum(type(c).__name__ == 'FluxMagics' for c in ip.configurables), "
        "sum('flux' in getattr(m, '__name__', '') for m in ip.Completer.custom_matchers))"
    )
    matchers = 1 if IPython.version_info >= (8,) else 0
    assert counted.stdout == f"1 {matchers}\n"
    kernel.run_ok("%flux --size 256x256 --output fox --quiet a fox")
    assert kernel.run_ok("print(fox.steps)").stdout == "7\n"
    kernel.run_ok("%config FluxMagics.steps = None")


def test_a_profile_with_a_wrong_value_does_not_stop_the_loading(space: str) -> None:
    with run_kernel(FLUX_MAGIC_SPACE=space) as fresh:
        fresh.run_ok("get_ipython().config.FluxMagics.steps = 0\nget_ipython().config.FluxMagics.width = 256")
        noted = fresh.run_ok("%load_ext flux_magic").stdout
        assert noted.startswith("note: FluxMagics.steps is left out of the configuration")
        assert noted.count("\n") == 1
        assert fresh.run_ok("%config FluxMagics.width").get_shown("text/plain") == ["256"]


def test_unloading_leaves_nothing(kernel: Kernel) -> None:
    kernel.run_ok('%config FluxMagics.steps = 7\n%config FluxMagics.log_level = "INFO"')
    kernel.run_ok("%unload_ext flux_magic")
    left = kernel.run_ok(
        "import logging; ip = get_ipython(); log = logging.getLogger('flux_magic')\n"
        "kept = [one for one in log.handlers if not isinstance(one, logging.NullHandler)]\n"
        "print(kept, log.level, log.propagate)\n"
        "print([type(c).__name__ for c in ip.configurables if 'Flux' in type(c).__name__], "
        "[m for m in ip.Completer.custom_matchers if 'flux' in m.__name__], "
        "ip.find_line_magic('flux'), ip.find_cell_magic('flux'), 'FluxMagics' in ip.magics_manager.registry)"
    )
    assert left.stdout == "[] 0 True\n[] [] None None False\n"
    assert "not found" in kernel.run("%%flux\nx").stderr
    kernel.run_ok("%load_ext flux_magic")
    kernel.run_ok("%flux --size 256x256 --output fox --quiet a fox")
    assert kernel.run_ok("print(fox.steps)").stdout == "2\n"
