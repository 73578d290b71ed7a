"""The token for a model: whose it is, and where it may go."""

from __future__ import annotations

from ...errors import FluxError, TokenRefused
from ...parameters import tokens
from ...parameters.settings import Settings, resolve
from ...parameters.tokens import Token
from .address import is_address, is_endpoint
from .errors import ADVICE
from .services import ENGINE


def find_token(settings: Settings, model: str) -> Token | None:
    """Return the token that is meant for a model, or None.

    One for the router is the user's, wherever it is from. A server with an address gets one that was given for the
    call, or that is configured together with it; the environment's only if it is a dedicated endpoint as well.
    """
    given = settings.token
    if not is_address(model):
        return Token(given, "given") if given else tokens.find_user_token()
    known = resolve()
    is_configured = known.model == model
    if given and (given != known.token or is_configured):
        return Token(given, "given")
    return tokens.find_user_token() if is_configured and is_endpoint(model) else None


def require_token(settings: Settings, model: str, wanted: str) -> str:
    """Return the token, "" for a server that needs none.

    `wanted` is the company that the user names. Raises TokenRefused if the router would refuse the token.
    """
    found = find_token(settings, model)
    if is_address(model):
        return found.value if found else ""
    if found is None:
        trouble = tokens.describe_stored_trouble()
        raise TokenRefused(
            f"Inference Providers need a token of Hugging Face{f': {trouble}' if trouble else ''}", ADVICE
        )
    if not found.value.startswith("hf_") and (found.source != "given" or not wanted):
        raise TokenRefused(
            f"the token ({found.source}) is not one of Hugging Face's, which begin with hf_",
            f"A company's own key goes to that company: name it, as in --provider {ENGINE}:together.",
        )
    return found.value


def describe_token(settings: Settings, model: str) -> str:
    """Return where the token for a model is from, or why none is there."""
    try:
        found = find_token(settings, model)
    except FluxError as error:
        return f"none: {error}"
    if found:
        return found.source if found.source == "given" else f"of {found.source}"
    trouble = "" if is_address(model) else tokens.describe_stored_trouble()
    return f"none: {trouble}" if trouble else "none"
