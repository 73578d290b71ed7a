"""What a Space's stage, or the page in its place, means for someone who wants an image."""

from __future__ import annotations

import pytest

from flux_magic.errors import ResponseError, SpaceAsleep, SpaceBroken, SpaceNotFound, SpacePaused
from flux_magic.parameters.addresses import get_hub
from flux_magic.providers.gradio.hub import check_page, check_stage
from flux_magic.providers.http.response import Answer, check_login
from tests.support.growth import assert_linear


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("SLEEPING", SpaceAsleep),
        ("STOPPED", SpaceAsleep),
        ("BUILDING", SpaceAsleep),
        ("APP_STARTING", SpaceAsleep),
        ("PAUSED", SpacePaused),
        ("RUNTIME_ERROR", SpaceBroken),
        ("BUILD_ERROR", SpaceBroken),
        ("NO_APP_FILE", SpaceBroken),
        ("NOT_FOUND", SpaceNotFound),
    ],
)
def test_a_stage_without_images_is_an_error_of_its_own(stage: str, kind: type[ResponseError]) -> None:
    with pytest.raises(kind, match="owner/name"):
        check_stage(stage, "owner/name")


@pytest.mark.parametrize("stage", ["RUNNING", "RUNNING_BUILDING", ""])
def test_a_running_or_unknown_stage_is_none(stage: str) -> None:
    check_stage(stage, "owner/name")


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("<html><h1>This Space is <b>sleeping</b> due to inactivity</h1></html>", SpaceAsleep),
        ("<html>Preparing Space</html>", SpaceAsleep),
        ("<html>Building</html>", SpaceAsleep),
        ("<html>This Space has been paused by its owner.</html>", SpacePaused),
        ("<html>Runtime error</html>", SpaceBroken),
        ("<html>Your space is in error, check its status on hf.co</html>", SpaceBroken),
        ("<html>404 – Sorry, we can't find the page</html>", SpaceNotFound),
        ("<html><script>paused()</script>A shop</html>", SpaceNotFound),
        (f"<html>{'Starting prices of our beds for sleeping in. ' * 20}</html>", SpaceNotFound),
    ],
)
def test_a_page_in_place_of_the_space_says_why(page: str, kind: type[ResponseError]) -> None:
    with pytest.raises(kind):
        check_page(page)


def test_the_hub_may_be_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/")
    assert get_hub() == "http://127.0.0.1:9"
    monkeypatch.delenv("HF_ENDPOINT")
    assert get_hub() == "https://huggingface.co"


@pytest.mark.parametrize("part", ["<script ", "<script>", "<!--", "<a ", "<", "<a b='", "&#1;", "<title>", " < "])
def test_a_page_of_malice_takes_a_time_that_grows_with_its_length_alone(part: str) -> None:
    def look(page: str) -> None:
        with pytest.raises(ResponseError):
            check_page(page)
        check_login(Answer(200, page, redirected=True))

    assert_linear(lambda size: f"<!doctype html>{part * (size // len(part))}", look, 250_000)
