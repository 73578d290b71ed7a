from __future__ import annotations

import copy
import pickle

import pytest

from flux_magic import errors
from flux_magic.errors import FluxError

TREE = [
    pytest.param(errors.InvalidRequest, ValueError, id="InvalidRequest"),
    pytest.param(errors.UnknownAttribute, AttributeError, id="UnknownAttribute"),
    pytest.param(errors.InvalidArgument, TypeError, id="InvalidArgument"),
    pytest.param(errors.SaveError, OSError, id="SaveError"),
    pytest.param(errors.StoreError, OSError, id="StoreError"),
    pytest.param(errors.RecordError, ValueError, id="RecordError"),
    pytest.param(errors.CapsuleError, ValueError, id="CapsuleError"),
    pytest.param(errors.NotInStore, LookupError, id="NotInStore"),
    pytest.param(errors.NotInSweep, LookupError, id="NotInSweep"),
    pytest.param(errors.OutOfRange, IndexError, id="OutOfRange"),
    pytest.param(errors.MissingExtra, ImportError, id="MissingExtra"),
    pytest.param(errors.ModelUnavailable, FluxError, id="ModelUnavailable"),
    pytest.param(errors.NotEnoughMemory, MemoryError, id="NotEnoughMemory"),
    pytest.param(errors.LocalSpaceError, FluxError, id="LocalSpaceError"),
    pytest.param(errors.Incomplete, FluxError, id="Incomplete"),
    pytest.param(errors.ConnectionFailed, ConnectionError, id="ConnectionFailed"),
    pytest.param(errors.ConnectionLost, errors.ConnectionFailed, id="ConnectionLost"),
    pytest.param(errors.ClusterError, FluxError, id="ClusterError"),
    pytest.param(errors.ClusterUnavailable, errors.ClusterError, id="ClusterUnavailable"),
    pytest.param(errors.TimedOut, TimeoutError, id="TimedOut"),
    pytest.param(errors.ResponseError, FluxError, id="ResponseError"),
    pytest.param(errors.SpaceError, errors.ResponseError, id="SpaceError"),
    pytest.param(errors.CancelledByServer, errors.ResponseError, id="CancelledByServer"),
    pytest.param(errors.EmptyResult, errors.ResponseError, id="EmptyResult"),
    pytest.param(errors.NotAnImage, errors.ResponseError, id="NotAnImage"),
    pytest.param(errors.UnreadableFormat, errors.NotAnImage, id="UnreadableFormat"),
    pytest.param(errors.ProtocolError, errors.ResponseError, id="ProtocolError"),
    pytest.param(errors.SpaceNotFound, errors.ResponseError, id="SpaceNotFound"),
    pytest.param(errors.SpaceAsleep, errors.ResponseError, id="SpaceAsleep"),
    pytest.param(errors.SpacePaused, errors.ResponseError, id="SpacePaused"),
    pytest.param(errors.SpaceBroken, errors.ResponseError, id="SpaceBroken"),
    pytest.param(errors.SpaceChanged, errors.ResponseError, id="SpaceChanged"),
    pytest.param(errors.TokenRefused, errors.ResponseError, id="TokenRefused"),
    pytest.param(errors.LoginRequired, errors.TokenRefused, id="LoginRequired"),
    pytest.param(errors.RateLimited, errors.ResponseError, id="RateLimited"),
    pytest.param(errors.QueueFull, errors.ResponseError, id="QueueFull"),
    pytest.param(errors.StreamLost, errors.ProtocolError, id="StreamLost"),
    pytest.param(errors.QuotaExceeded, errors.SpaceError, id="QuotaExceeded"),
    pytest.param(errors.GpuTrouble, errors.SpaceError, id="GpuTrouble"),
    pytest.param(errors.Stopped, FluxError, id="Stopped"),
    pytest.param(errors.WouldDeadlock, RuntimeError, id="WouldDeadlock"),
]


@pytest.mark.parametrize(("kind", "also"), TREE)
def test_every_error_is_a_flux_error_and_what_python_calls_it(kind: type[FluxError], also: type[Exception]) -> None:
    assert issubclass(kind, FluxError)
    assert issubclass(kind, also)


def test_the_table_above_and_the_docstring_name_every_error_of_the_tree() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FluxError)}
    assert {case.values[0] for case in TREE} | {FluxError} == kinds
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


@pytest.mark.parametrize(("kind", "also"), TREE)
def test_an_error_says_what_happened_and_on_the_next_line_what_to_do(
    kind: type[FluxError], also: type[Exception]
) -> None:
    with pytest.raises(also) as caught:
        raise kind("it broke", "Run it again.")
    assert str(caught.value) == "it broke\nRun it again."


@pytest.mark.parametrize(("kind", "also"), TREE)
def test_an_error_without_a_hint_is_its_message_alone(kind: type[FluxError], also: type[Exception]) -> None:
    error = kind("it broke")
    assert isinstance(error, also)
    assert (str(error), error.message, error.hint) == ("it broke", "it broke", "")


@pytest.mark.parametrize("again", [pytest.param(copy.copy, id="copy"), pytest.param(pickle.dumps, id="pickle")])
@pytest.mark.parametrize(("kind", "also"), TREE)
def test_an_error_keeps_its_hint_when_it_is_copied_or_pickled(
    again: object, kind: type[FluxError], also: type[Exception]
) -> None:
    error = kind("it broke", "Run it again.")
    same = copy.copy(error) if again is copy.copy else pickle.loads(pickle.dumps(error))
    assert isinstance(same, also)
    assert str(same) == "it broke\nRun it again."


def test_a_notebook_shows_the_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FluxError, "verbose", False)
    shown = errors.TimedOut("no image within 5 s", "Allow more.")._render_traceback_()
    assert shown == ["TimedOut: no image within 5 s\nAllow more."]


def test_a_notebook_shows_the_traceback_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FluxError, "verbose", True)
    with pytest.raises(errors.SpaceError) as caught:
        raise errors.SpaceError("the Space says: no")
    shown = "".join(caught.value._render_traceback_())
    assert shown.startswith("Traceback")
    assert "raise errors.SpaceError" in shown
    assert "the Space says: no" in shown


def test_a_traceback_shows_no_password_and_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FluxError, "verbose", True)
    typed = "--proxy http://ann:sesame@proxy.example hf_abcDEF123"
    shown = "".join(errors.ConnectionFailed(f"no: {typed}")._render_traceback_())
    assert "no: --proxy http://***@proxy.example ***" in shown
