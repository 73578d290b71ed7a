from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.getipython import get_ipython
from traitlets.config import Config

from flux_magic.client.options import merge
from flux_magic.errors import InvalidRequest
from flux_magic.jupyter import cell
from flux_magic.jupyter.magics import SecretTrait
from flux_magic.parameters import settings
from flux_magic.parameters.settings import Settings, configure_by, resolve
from flux_magic.sweeps.requests import Sweep, build_requests
from tests.unit.samples import notebook


@pytest.fixture(autouse=True)
def _no_layers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Yield a test starts without environment and `%config`, and leaves none."""
    for name in ("SPACE", "STORE", "SHARED_STORE", "REPLAY"):
        monkeypatch.delenv(f"FLUX_MAGIC_{name}", raising=False)
    configure_by(dict)
    yield
    configure_by(dict)


def test_the_defaults_are_the_originals() -> None:
    assert resolve() == Settings(
        space=None, model="flux", steps=None, width=None, height=None, seed=None, inline=None, proxy=None, timeout=None
    )
    [request] = build_requests("a fox", resolve())
    assert (request.steps, request.width, request.height) == (2, 768, 768)
    assert resolve().runner == "thread"


def test_the_environment_is_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "env/space")
    assert resolve().space == "env/space"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "")
    assert resolve().space is None


def test_config_is_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "env/space")
    configure_by(lambda: {"space": "config/space", "steps": 3})
    assert (resolve().space, resolve().steps) == ("config/space", 3)


def test_an_option_is_over_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "env/space")
    configure_by(lambda: {"space": "config/space", "steps": 3})
    resolved = resolve(space="option/space", steps=4)
    assert (resolved.space, resolved.steps) == ("option/space", 4)


@pytest.mark.parametrize(
    ("config", "option", "found"), [(None, None, "env/space"), ("c/s", None, "c/s"), (None, "o/s", "o/s")]
)
def test_none_counts_as_not_given(
    monkeypatch: pytest.MonkeyPatch, config: str | None, option: str | None, found: str
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "env/space")
    configure_by(lambda: {"space": config})
    assert resolve(space=option).space == found


def test_seed_0_is_a_seed() -> None:
    configure_by(lambda: {"seed": 5})
    assert resolve(seed=0).seed == 0


def test_a_change_takes_effect_with_the_next_call() -> None:
    layer: dict[str, Any] = {"steps": 3}
    configure_by(lambda: layer)
    before = resolve().steps
    layer["steps"] = 8
    assert (before, resolve().steps) == (3, 8)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match="unknown option: sampler, sead"):
        resolve(sead=1, sampler=2, steps=3)


@pytest.mark.parametrize("inline", [None, *settings.INLINE])
def test_every_way_to_embed_is_taken(inline: str | None) -> None:
    assert Settings(inline=inline).inline == inline


@pytest.mark.parametrize("runner", settings.RUNNERS)
def test_every_runner_is_taken(runner: str) -> None:
    assert Settings(runner=runner).runner == runner


@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        pytest.param("inline", "gif", "png, jpeg, link", id="inline"),
        pytest.param("runner", "trio", "thread, nest", id="runner"),
    ],
)
def test_what_is_no_choice_is_refused_and_the_choices_are_named(name: str, value: str, choices: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name} is '{value}': choose one of {choices}$"):
        resolve(**{name: value})


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "90", float("-inf"), float("inf"), 10**400, True])
def test_a_timeout_that_is_not_above_0_is_refused(timeout: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"timeout is .*: give seconds above 0"):
        resolve(timeout=timeout)


def test_an_empty_token_that_is_configured_is_none() -> None:
    configure_by(lambda: {"token": SecretTrait().validate(None, "")})
    assert resolve().token is None


def test_a_timeout_that_no_clock_can_count_to_is_refused_with_the_most_there_is() -> None:
    with pytest.raises(InvalidRequest, match=r"^timeout is 2000000000\.0: give seconds above 0 and below 1000000000$"):
        resolve(timeout=2e9)


@pytest.mark.parametrize("timeout", [None, 0.1, 90])
def test_a_timeout_above_0_is_taken(timeout: float | None) -> None:
    assert resolve(timeout=timeout).timeout == timeout


def test_a_proxys_password_does_not_show_in_the_settings_repr() -> None:
    assert "secret" not in repr(Settings(proxy="http://ann:secret@proxy.example:3128"))


@pytest.mark.parametrize("name", ["model", "space", "proxy", "inline"])
def test_an_empty_text_counts_as_not_given(name: str) -> None:
    assert resolve(**{name: ""}) == resolve()


@pytest.mark.parametrize("timeout", [300, 0.5, np.int64(300), np.float64(0.5)])
def test_a_timeout_is_a_number_of_any_kind(timeout: Any) -> None:
    assert resolve(timeout=timeout).timeout == timeout


@pytest.mark.parametrize("token", ["hf_a\nb", "hf a", "hf_ä"])
def test_a_token_that_is_none_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(InvalidRequest, match="the token holds") as caught:
        resolve(token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("configured", "asked", "goes"),
    [
        pytest.param({}, {}, True, id="no Space is named anywhere"),
        pytest.param({"space": "me/mine"}, {}, True, id="the configured one"),
        pytest.param({"space": "me/mine"}, {"space": "https://me-mine.hf.space"}, True, id="the same by another name"),
        pytest.param({"space": "me/mine"}, {"space": "me/mine/"}, True, id="the configured one, named"),
        pytest.param({"space": "me/mine"}, {"space": "evil/one"}, False, id="another one"),
        pytest.param({}, {"space": "evil/one"}, False, id="one that a cell names, none configured"),
        pytest.param({}, {"space": "http://evil.example"}, False, id="a URL"),
        pytest.param({}, {"space": "no Space"}, False, id="no Space at all"),
        pytest.param({}, {"space": "evil/one", "token": "hf_given"}, True, id="given for this call"),
    ],
)
def test_a_configured_token_is_for_the_configured_space_alone(
    configured: dict[str, str], asked: dict[str, str], *, goes: bool
) -> None:
    configure_by(lambda: {"token": "hf_mine", **configured})
    try:
        assert bool(resolve(**asked).token) is goes
    finally:
        configure_by(dict)


def test_the_shared_store_comes_from_the_environment_and_may_be_several(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings.get_shared_folders(resolve()) == ()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLUX_MAGIC_SHARED_STORE", os.pathsep.join(["/srv/class", "", "~/shared"]))
    assert settings.get_shared_folders(resolve()) == (Path("/srv/class"), tmp_path / "shared")
    configure_by(lambda: {"shared_store": "/srv/another"})
    assert settings.get_shared_folders(resolve()) == (Path("/srv/another"),)
    assert settings.get_shared_folders(resolve(shared_store=Path("/srv/mine"))) == (Path("/srv/mine"),)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(3, "shared_store is 3: give a folder", id="a number"),
        pytest.param(False, "shared_store is False: give a folder", id="off"),
        pytest.param("~nobody_here_7/x", "shared_store is '~nobody_here_7/x': no such home is known", id="no home"),
    ],
)
def test_a_shared_store_that_is_no_folder_is_a_mistake(value: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        settings.get_shared_folders(resolve(shared_store=value))
    assert caught.value.message == said


@pytest.mark.parametrize("platform", ["says so", "says a path of no meaning"])
def test_who_has_no_home_keeps_nothing_where_no_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    import platformdirs

    def homeless(*_: object, **__: object) -> Path:
        if platform == "says so":
            raise RuntimeError("could not determine the home directory")
        return Path("~/.local/share/flux_magic")

    monkeypatch.setattr(platformdirs, "user_data_path", homeless)
    assert settings.get_store_folder(resolve()) is None
    assert settings.get_store_folder(resolve(store=tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("configured", "client", "options", "parameters"),
    [
        pytest.param({"guidance": 3}, {}, {}, {"guidance": 3}, id="configured"),
        pytest.param({"guidance": 3}, {}, {"guidance": 5}, {"guidance": 5}, id="an option is over it"),
        pytest.param({"guidance": 3}, {}, {"parameters": {"guidance": 5}}, {"guidance": 5}, id="in the mapping, too"),
        pytest.param(
            {"parameters": {"guidance": 3, "shift": 1}}, {}, {"guidance": 5}, {"guidance": 5, "shift": 1}, id="of both"
        ),
        pytest.param(
            {"parameters": {"shift": 1, "x": 1}}, {"parameters": {"x": 2}}, {"parameters": {"y": 3}},
            {"shift": 1, "x": 2, "y": 3}, id="three layers",
        ),
        pytest.param({}, {"guidance": 3}, {"parameters": {"guidance": 5}}, {"guidance": 5}, id="over a client's"),
        pytest.param({}, {"parameters": {"guidance": 3}}, {"guidance": 5}, {"guidance": 5}, id="over its mapping"),
        pytest.param({"negative_prompt": "hens"}, {}, {"negative_prompt": ""}, {"negative_prompt": ""}, id="empty"),
        pytest.param({"negative_prompt": None, "parameters": None}, {}, {}, {}, id="none at all"),
    ],
)  # fmt: skip
def test_parameters_of_a_call_are_over_a_clients_and_those_over_the_configured(
    monkeypatch: pytest.MonkeyPatch,
    configured: dict[str, Any],
    client: dict[str, Any],
    options: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    monkeypatch.setattr(settings, "_configured", lambda: configured)
    assert dict(resolve(**merge(client, options)).parameters) == parameters


def test_config_takes_any_parameter_and_refuses_what_cannot_be_one(tmp_path: Path) -> None:
    with notebook(tmp_path):
        shell: Any = get_ipython()
        shell.run_line_magic("load_ext", "flux_magic")
        for line in (
            "parameters = {'shift': 4, 'mode': 'Base'}",
            "guidance = 3",
            "negative_prompt = 'hens'",
            "strength = .5",
        ):
            shell.run_line_magic("config", f"FluxMagics.{line}")
        known = {"shift": 4, "mode": "Base", "guidance": 3, "negative_prompt": "hens", "strength": 0.5}
        assert dict(resolve(parameters={"shift": 5}).parameters) == {**known, "shift": 5}
        read = cell.read("--set shift=1,3 --set x=2 --guidance 7 a fox", None, {})
        assert isinstance(read.images, Sweep)
        assert [dict(one.parameters) for one in read.images.requests] == [
            {**known, "shift": shift, "x": 2, "guidance": 7} for shift in (1, 3)
        ]
        magics = shell.magics_manager.registry["FluxMagics"]
        for name, value, says in [
            ("parameters", {"shift": [1]}, "shift is [1]: give a number, a string, True or False"),
            ("parameters", {"steps": 4}, "parameters has steps, which is an argument of its own"),
            ("parameters", 3, "give a dict"),
            ("strength", 2, "strength is 2: give a number from 0 to 1"),
        ]:
            with pytest.raises(InvalidRequest, match=rf"^FluxMagics\.{name} stays .*{re.escape(says)}"):
                magics.update_config(Config({"FluxMagics": {name: value}}))
        shell.run_line_magic("unload_ext", "flux_magic")
