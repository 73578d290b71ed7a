"""The Space's commit, where the Hub tells it: no image waits for it for long, and no token goes there."""

from __future__ import annotations

import pytest

from flux_magic.providers import hub
from flux_magic.providers.connection import Connection, open_session
from tests.support.hostile import NO_ANSWER, Script, hostile, page, stream, told
from tests.support.space import run

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_commits", {})
    monkeypatch.setattr(hub, "PATIENCE", 0.5)


@pytest.mark.parametrize(
    ("answer", "commit"),
    [
        pytest.param(told({"sha": SHA}), SHA, id="told"),
        pytest.param(told({"sha": SHA}, status=404), "", id="no such Space"),
        pytest.param(told({"sha": "<b>x</b>"}), "", id="no commit"),
        pytest.param(told({"sha": None}), "", id="none"),
        pytest.param(told([1]), "", id="a list"),
        pytest.param(page(), "", id="a page"),
        pytest.param(NO_ANSWER, "", id="no answer"),
        pytest.param(stream(then="silence"), "", id="silence"),
    ],
)
def test_the_commit_is_what_the_hub_tells_or_not_known(
    answer: Script, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> tuple[str, list[str]]:
        async with hostile(prefix="/api/spaces", stage=answer) as server, open_session() as session:
            monkeypatch.setenv("HF_ENDPOINT", server.address)
            connection = Connection(session)
            first = await hub.commit(connection, "a/b")
            asked = list(server.seen)
            assert await hub.commit(connection, "a/b") == first
            assert server.seen == asked, "asked once a process"
            return first, server.tokens

    assert run(work()) == (commit, [])
