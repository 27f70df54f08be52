"""The images page: its shell, rendered on the server, and the files that it loads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import CharimgError, ConfigurationError
from ..models import CharacterReference, Media
from .access import AccessDenied
from .exchange import PATH, WebRequest, WebResponse, below
from .failures import BadRequest, failure_body
from .options import Settings
from .routing import PAGE, STATIC
from .texts import TEXTS
from .wire import character_json

__all__ = ["Page", "page_failure", "sign_in", "static_file"]

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SAMPLE = Media(
    id="0", key="0" * 32, filename="0.png", mime_type="image/png", size=1, sha256="0" * 64
)
"""Media that is nowhere: to learn where a store's URLs lead."""
_SAFE = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"))


class Page:
    """Renders the shell; the modules of the page fetch the rest from ``/v1``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = _environment(settings)

    def url(self, character_id: str, base: str) -> str:
        """Return the page's address for a link."""
        path = PAGE.replace("{character_id}", quote(character_id, safe=""))
        whole = base.startswith(("http://", "https://"))
        return ("" if whole else self._settings.site_url or "") + base.rstrip("/") + path

    def render(
        self, request: WebRequest, character: CharacterReference, locate: Callable[[Media], Media]
    ) -> WebResponse:
        """Return the page of a character.

        Args:
            request: What was asked.
            character: Whose page it is.
            locate: The media store's: the page may load files from where it leads.
        """
        settings = self._settings
        native = request.native
        nonce = None if settings.nonce is None else settings.nonce(native)
        csrf = None if settings.csrf is None else settings.csrf(native)
        back = None
        if settings.character_url is not None:
            back = settings.character_url.replace("{id}", quote(character.id, safe=""))
            back = below(request.root, back)
        base = quote(request.base, safe=PATH)
        config = {
            "base": base,
            "root": quote(request.root, safe=PATH),
            "characterId": character.id,
            "backUrl": back,
            "csrf": None if csrf is None else {"header": csrf.header, "token": csrf.token},
            "texts": {**TEXTS, **self._texts(native)},
            "lang": settings.lang,
            "pageSize": settings.page_size,
        }
        html = self._environment.get_template("images.html").render(
            config=config,
            t=config["texts"],
            lang=settings.lang,
            nonce=nonce,
            character=character_json(character),
            back_url=back,
            static=lambda name: _static_url(name, base),
        )
        return self._html(html, _policy(nonce, _origins(locate)))

    def index(
        self, characters: Sequence[CharacterReference] | None, sign_out: str | None = None
    ) -> WebResponse:
        """Return a page with a link to each character's page; ``None`` asks for an id instead."""
        listed = None
        if characters is not None:
            listed = [(character_json(each), self.url(each.id, "")) for each in characters]
        html = self._environment.get_template("index.html").render(
            characters=listed,
            sign_out=sign_out,
            t={**TEXTS, **self._texts(None)},
            lang=self._settings.lang,
            static=lambda name: _static_url(name, ""),
        )
        return self._html(html, _policy(None, ""))

    def _texts(self, native: Any) -> Mapping[str, str]:
        texts = self._settings.texts
        return (texts(native) if callable(texts) else texts) or {}

    def _html(self, html: str, policy: str) -> WebResponse:
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
        if self._settings.csp:
            headers.append(("Content-Security-Policy", policy))
        return WebResponse(status=200, headers=(*headers, *_SAFE), body=html.encode("utf-8"))


def _policy(nonce: str | None, origins: str) -> str:
    ours = "'self'" if nonce is None else f"'self' 'nonce-{nonce}'"
    # A form of the host's own, such as its sign-out, stands in its template.
    return (
        f"default-src 'none'; script-src {ours}; style-src {ours}; "
        f"img-src 'self' data: blob:{origins}; connect-src 'self'{origins}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    )


def _origins(locate: Callable[[Media], Media]) -> str:
    """Return the origin that files come from: the host's bucket or CDN; nothing for our own."""
    try:
        url = locate(_SAMPLE).url or ""
    except CharimgError:
        # A store that locates only what it has: any server that is asked over TLS.
        return " https:"
    parts = urlsplit(url)
    return f" {parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""


def _environment(settings: Settings) -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ConfigurationError(
            "The images page needs Jinja2: pip install 'charimg[web]'"
        ) from error
    ours = jinja2.PackageLoader("charimg.web", "templates")
    loaders: list[jinja2.BaseLoader] = [ours, jinja2.PrefixLoader({"charimg": ours})]
    if settings.templates is not None:
        loaders.insert(0, jinja2.FileSystemLoader(settings.templates))
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _assets() -> dict[str, tuple[bytes, str]]:
    """Return every static file with its hash. Read once: they are part of the package."""
    found: dict[str, tuple[bytes, str]] = {}
    for each in files("charimg.web").joinpath("static").iterdir():
        if each.is_file() and each.name.rpartition(".")[2] in _TYPES:
            data = each.read_bytes()
            found[each.name] = (data, hashlib.sha256(data).hexdigest()[:16])
    return found


def _static_url(name: str, base: str) -> str:
    _, digest = _assets()[name]
    return f"{base}{STATIC.replace('{item_id}', name)}?v={digest}"


def static_file(name: str, if_none_match: str | None) -> WebResponse:
    """Answer with one of the page's files.

    Modules import each other without a version, so a browser asks each time whether one changed.

    Raises:
        BadRequest: There is no such file.
    """
    asset = _assets().get(name)
    if asset is None:
        raise BadRequest(404, "NO_SUCH_FILE", "There is no such file.")
    data, digest = asset
    tag = f'"{digest}"'
    headers = (
        ("Content-Type", _TYPES[name.rpartition(".")[2]]),
        ("ETag", tag),
        ("Cache-Control", "public, no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if if_none_match is not None and tag in if_none_match:
        return WebResponse(status=304, headers=headers)
    return WebResponse(status=200, headers=headers, body=data)


def sign_in(error: AccessDenied, root: str) -> WebResponse:
    """Answer a browser that may not see the page: to the host's sign-in, or with a plain no.

    Args:
        error: The refusal.
        root: The request's.
    """
    if error.sign_in_url is not None:
        to = (("Location", below(root, error.sign_in_url)), ("Cache-Control", "no-store"))
        return WebResponse(status=303, headers=to)
    return page_failure(error)


def page_failure(error: BaseException) -> WebResponse:
    """Answer a browser that asked for the page with what went wrong, in words rather than JSON."""
    body = failure_body(error)
    text = (
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{body['status']}</title><main><h1>{body['status']}</h1>"
        f"<p>{escape(body['error'])}</p></main>"
    )
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'"),
        *_SAFE,
        *getattr(error, "headers", ()),
    )
    return WebResponse(status=body["status"], headers=headers, body=text.encode())
