"""Cookies that stay with the server that set them."""

from __future__ import annotations

from collections.abc import Sequence
from http.cookies import BaseCookie
from typing import Any

from aiohttp import CookieJar
from yarl import URL


class HostCookies(CookieJar):
    """A cookie jar that keeps another jar for each scheme, host and port.

    A Space of several replicas is known by a cookie. A browser's rules are too wide for it: `a.hf.space` could set a
    cookie for all of `hf.space`, and all ports of a host share theirs.
    """

    def __init__(self) -> None:
        super().__init__(unsafe=True)
        self._jars: dict[URL, CookieJar] = {}

    def update_cookies(self, cookies: Any, response_url: URL = URL()) -> None:  # noqa: B008 - aiohttp's interface
        """Keep the cookies of an answer for its own server alone."""
        self._get_jar(response_url).update_cookies(cookies, response_url)

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Keep the cookies of an answer's headers, as newer versions of aiohttp give them."""
        self._get_jar(response_url).update_cookies_from_headers(headers, response_url)

    def filter_cookies(self, request_url: URL = URL()) -> BaseCookie[str]:  # noqa: B008 - as above
        """Return the cookies that go with a request."""
        return self._get_jar(request_url).filter_cookies(request_url)

    def _get_jar(self, url: URL) -> CookieJar:
        origin = url.origin()
        if origin not in self._jars:
            self._jars[origin] = CookieJar(unsafe=True)
        return self._jars[origin]
