"""The Hub's word for a Space: no image waits for it for long, it is asked again in time, and no token goes there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flux_magic.parameters.addresses import Space
from flux_magic.providers.gradio import hub
from flux_magic.providers.gradio.hub import SpaceInfo
from flux_magic.providers.http.connection import Connection, open_session
from tests.support.hostile import NO_ANSWER, Script, answer_json, answer_page, answer_stream, run_hostile
from tests.support.space import run

SHA, NEXT = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"
DEV = "black-forest-labs/FLUX.1-dev"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a clock of the Hub's answers that a test sets; nothing is known yet."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(hub, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(hub, "_answers", {})
    monkeypatch.setattr(hub, "HUB_TIMEOUT", 0.5)
    return clock


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        pytest.param(answer_json({"sha": SHA}), SpaceInfo(SHA), id="a commit"),
        pytest.param(answer_json({"sha": SHA, "models": [DEV]}), SpaceInfo(SHA, DEV), id="and a model"),
        pytest.param(answer_json({"models": [DEV, DEV]}), SpaceInfo("", DEV), id="a model twice"),
        pytest.param(
            answer_json({"models": ["x/y", "c/B", "z/w"]}),
            SpaceInfo("", "c/B"),
            id="several, one with the Space's name",
        ),
        pytest.param(
            answer_json({"models": ["x/b", "a/B"]}), SpaceInfo("", "a/B"), id="several, one with its whole name"
        ),
        pytest.param(answer_json({"sha": SHA, "models": [DEV, "x/y"]}), SpaceInfo(SHA), id="several models"),
        pytest.param(answer_json({"models": ["x/b", "y/b"]}), SpaceInfo(), id="several with its name"),
        pytest.param(answer_json({"models": ["<b>", 3, "a", f"x/{'y' * 200}"]}), SpaceInfo(), id="no models at all"),
        pytest.param(answer_json({"sha": SHA, "models": [DEV]}, status=404), SpaceInfo(), id="no such Space"),
        pytest.param(answer_json({"sha": "<b>x</b>"}), SpaceInfo(), id="no commit"),
        pytest.param(answer_json({"sha": None, "models": None}), SpaceInfo(), id="nothing"),
        pytest.param(answer_json([1]), SpaceInfo(), id="a list"),
        pytest.param(answer_page(), SpaceInfo(), id="a page"),
        pytest.param(NO_ANSWER, SpaceInfo(), id="no answer"),
        pytest.param(answer_stream(then="silence"), SpaceInfo(), id="silence"),
    ],
)
def test_the_hubs_word_is_what_it_says_or_not_known(
    answer: Script, known: SpaceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> tuple[SpaceInfo, list[str]]:
        async with run_hostile(prefix="/api/spaces", stage=answer) as server, open_session() as session:
            monkeypatch.setenv("HF_ENDPOINT", server.address)
            first = await hub.look_up(Connection(session), Space.parse("a/b"))
            asked = list(server.seen)
            assert await hub.look_up(Connection(session), Space.parse("a/b")) == first
            assert server.seen == asked, "asked once for several images"
            return first, server.tokens

    assert run(work()) == (known, [])


def test_an_answer_counts_for_ten_minutes_and_a_missing_one_for_one(
    monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    script = [answer_json({"sha": SHA, "models": [DEV]}), answer_json({}, status=503), answer_json({"sha": NEXT})]

    async def work() -> list[tuple[str, int]]:
        async with run_hostile(prefix="/api/spaces", stage=script) as server, open_session() as session:
            monkeypatch.setenv("HF_ENDPOINT", server.address)
            seen = []
            for seconds in (0, 599, 2, 59, 2):
                clock.now += seconds
                known = await hub.look_up(Connection(session), Space.parse("a/b"))
                seen.append((known.commit, len(server.seen)))
            return seen

    assert run(work()) == [(SHA, 1), (SHA, 1), ("", 2), ("", 2), (NEXT, 3)]


@pytest.mark.parametrize(
    ("space", "path"),
    [
        ("owner/name", "owner/name"),
        ("https://owner-name.hf.space", "by-subdomain/owner-name"),
        ("https://owner-name.hf.space/sub", "by-subdomain/owner-name"),
        ("https://a.b.hf.space", ""),
        ("https://space.example", ""),
        ("http://127.0.0.1:7860", ""),
        ("local", ""),
    ],
)
def test_a_space_is_looked_up_by_its_id_or_its_host(space: str, path: str) -> None:
    assert hub._get_path(Space.parse(space)) == path
