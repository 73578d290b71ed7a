"""An app with a login: of Gradio's own, of HTTP, or a page in front of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_magic.client.doctor import examine
from flux_magic.errors import LoginRequired, SpaceNotFound
from flux_magic.parameters.settings import resolve
from tests.support.hostile import Answer, answer_json, run_hostile
from tests.support.space import collect_events, make_image, move_provider, run, run_space

APP = Path(__file__).with_name("login_app.py")
HINT = "flux_magic cannot log in: ask the app's owner for an address without a login, or choose another Space."
SIGN_IN = b"<!doctype html><html><title>Sign in to your account</title><p>Redirecting</html>"
FORM = b'<html><form action="/hub/login"><input name="u"><input id="p" type="password"></form></html>'


def page(body: bytes, status: int = 200) -> Answer:
    return Answer(body, status, "text/html")


def test_a_gradio_app_says_that_it_has_a_login() -> None:
    with run_space(app=APP) as address:
        with pytest.raises(LoginRequired) as caught:
            run(make_image(f"{address}/?__theme=dark"))
        rows = run(examine(resolve(space=address))).rows
    assert str(caught.value) == f"this app has a login with a name and a password: Members only\n{HINT}"
    assert rows["answers"] == f"no: LoginRequired: {caught.value}"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer_json({"detail": "Not authenticated"}, 401), id="Gradio 3 and 4"),
        pytest.param(answer_json({"detail": {"error": "Not authenticated", "auth_message": None}}, 401), id="Gradio 6"),
        pytest.param(answer_json({"auth_required": True, "auth_message": "x", "dependencies": []}), id="Gradio's page"),
        pytest.param(Answer(b"no", 401, headers={"WWW-Authenticate": 'Basic realm="x"'}), id="HTTP Basic"),
        pytest.param(Answer(b"no", 401, headers={"WWW-Authenticate": "Negotiate"}), id="Kerberos"),
        pytest.param(page(FORM), id="a form"),
        pytest.param(page(FORM, 403), id="a form that refuses"),
        pytest.param(page(SIGN_IN, 401), id="a page that signs in"),
    ],
)
def test_every_login_is_named_and_nothing_is_posted(answer: Answer) -> None:
    async def work() -> list[str]:
        async with run_hostile(config=answer, post=answer) as server:
            with pytest.raises(LoginRequired) as caught:
                await collect_events(move_provider(server.address))
            assert str(caught.value).endswith(f"\n{HINT}")
            return server.seen

    assert run(work()) == ["config"]


def test_a_redirect_to_a_page_that_signs_in_is_a_login_and_the_same_page_by_itself_is_none() -> None:
    async def work() -> None:
        async with run_hostile(config=page(SIGN_IN)) as there:
            with pytest.raises(SpaceNotFound):
                async with run_hostile(config=page(SIGN_IN), post=Answer(status=404)) as here:
                    await collect_events(move_provider(here.address))
            moved = Answer(status=302, headers={"Location": f"{there.address}/config"})
            async with run_hostile(config=moved) as here:
                with pytest.raises(LoginRequired, match="there is a login page in front of this app"):
                    await collect_events(move_provider(here.address))

    run(work())
