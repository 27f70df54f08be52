"""Who may come in to a server of its own: whoever shows its token, or a session that began so."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from urllib.parse import parse_qsl, quote, urlencode

from .access import foreign
from .asgi import Scope
from .exchange import WebRequest, WebResponse

__all__ = ["SIGN_OUT", "Door"]

SIGN_OUT = "/sign-out"
_COOKIE = "charimg_session_"
"""And the port: cookies of one machine are shared among its ports."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST = 1000
"""How many sessions there may be; the oldest ends for a further one."""


class Door:
    """Lets requests in.

    The token never becomes a cookie: a browser sends those to every port of the host. A session
    ends with the server, or when its user signs out.

    Args:
        token: What has to be shown, as ``?token=`` or bearer. Without one only the names of the
            loopback address lead in: a page of another site could else reach us by a name of its
            own (DNS rebinding).
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._sessions: list[bytes] = []

    @property
    def asks(self) -> bool:
        """Whether one has to sign in."""
        return self._token is not None

    def let_in(self, scope: Scope) -> WebResponse | None:
        """Return ``None`` for who may come in, else the answer that says what is missing."""
        headers = _headers(scope)
        if self._token is None:
            host = re.sub(r":\d*$", "", headers.get("host", "")).strip("[]").lower()
            if host in _LOOPBACK:
                return None
            return _text(
                421, "This server is called 127.0.0.1 or localhost, and answers to no other name."
            )
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        shown = dict(query).get("token")
        if shown is not None and scope["method"] == "GET" and _same(shown, self._token):
            # Out of the address, so that it is not copied along with a link.
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            to = quote(scope["path"], safe="/~!$&'()*+,;=:@") + (f"?{rest}" if rest else "")
            # Two slashes at the start would lead to another server.
            moved = (("Location", "/" + to.lstrip("/")), _cookie(scope, self._begin()))
            return WebResponse(status=303, headers=(*moved, ("Cache-Control", "no-store")))
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if _same(bearer, self._token) or self._session(scope) is not None:
            return None
        return _text(401, "Open the address with ?token=… that the server printed when it started.")

    def sign_out(self, scope: Scope) -> WebResponse:
        """End the session of a request that was let in."""
        request = WebRequest(
            method=scope["method"],
            path=scope["path"],
            headers=_headers(scope),
            scheme=scope.get("scheme", "http"),
        )
        if foreign(request, ()):
            return _text(403, "Only a page of this server can sign you out.")
        session = self._session(scope)
        if session is not None:
            self._sessions.remove(session)
        return _text(200, "You are signed out.", _cookie(scope, "", "Max-Age=0; "))

    def _begin(self) -> str:
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions[-_MOST + 1 :], _digest(session)]
        return session

    def _session(self, scope: Scope) -> bytes | None:
        """Return what is kept of the request's session, if it has one."""
        shown = _digest("")
        for cookie in _headers(scope).get("cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == _name(scope):
                shown = _digest(value)
        same = [each for each in self._sessions if hmac.compare_digest(each, shown)]
        return same[0] if same else None


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


def _name(scope: Scope) -> str:
    return f"{_COOKIE}{(scope.get('server') or ('', ''))[1]}"


def _cookie(scope: Scope, value: str, age: str = "") -> tuple[str, str]:
    return "Set-Cookie", f"{_name(scope)}={value}; {age}Path=/; HttpOnly; SameSite=Strict"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _text(status: int, text: str, *headers: tuple[str, str]) -> WebResponse:
    always = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))
    return WebResponse(status=status, headers=(*always, *headers), body=text.encode())
