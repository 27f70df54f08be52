# Generated from src/charimg/web/_async/workspace.py by tools/unasync.py. Do not edit.
"""The workspace: the routes and the page of a host's characters, without a framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Unpack

from attrs import evolve

from ..._sync.service import CharacterImageService
from ...errors import CharimgError, ConfigurationError
from ...models import CharacterReference
from .._permission import ask, check_service
from .._runs import Runs
from ..access import AccessDenied, Authorize, foreign
from ..exchange import WebRequest, WebResponse
from ..failures import BadRequest, failure_response
from ..options import WorkspaceOptions, settings
from ..page import Page, page_failure, sign_in, static_file
from ..routing import Found, match
from .routes import HANDLERS, Call
from .settling import SETTLING

__all__ = ["Workspace"]

_HANDLERS = {**HANDLERS, **SETTLING}


class Workspace:
    """Answers the requests of ``/v1`` and of the images page, for the adapter of any framework.

    A host takes an adapter: `charimg.web.asgi_app`, `charimg.web.fastapi`, `charimg.web.django`,
    `charimg.web.flask`. This is what they stand on, and where a further one would begin.

    Args:
        service: The host's service, or a function that returns it (when it is made later).
        authorize: Asked before anything else is done, see `Authorize`. Required: without one
            anybody could spend the host's money.
        **options: See `WorkspaceOptions`.

    Raises:
        ConfigurationError: ``authorize`` is no function, the service is that of the other mode, or
            an option makes no sense.
    """

    def __init__(
        self,
        service: CharacterImageService | Callable[[], CharacterImageService],
        *,
        authorize: Authorize,
        **options: Unpack[WorkspaceOptions],
    ) -> None:
        if not callable(authorize):
            raise ConfigurationError(
                "The routes need authorize=, a function of (request, action, character_id) that "
                "returns True or the user's name. Each image costs money: see "
                "charimg.web.Authorize."
            )
        check_service(service)
        self._service = service
        self._authorize = authorize
        self._settings = settings(options)
        self._runs = Runs(self._settings.after_thread)
        self._page = Page(self._settings)

    @property
    def max_body(self) -> int:
        """How many bytes of a request's body are taken."""
        return self._settings.max_body

    @property
    def service(self) -> CharacterImageService:
        """The host's service."""
        service = self._service
        return service() if callable(service) else service

    def images_url(self, character_id: str, base: str = "") -> str:
        """Return the address of a character's images page, for a link on the host's own page.

        Args:
            character_id: The host's id of the character.
            base: Where the host mounted the routes, e.g. ``/studio``, or the whole URL of it.

        Returns:
            An absolute URL when ``site_url`` or the whole base is known, else a path.
        """
        return self._page.url(character_id, base)

    def close(self) -> None:
        """End the operations that still run here; `recover` goes on with them. For a clean end.

        Call it before the service is closed, where the host has such a place.
        """
        self._runs.close()

    def index(
        self, characters: Sequence[CharacterReference] | None, sign_out: str | None = None
    ) -> WebResponse:
        """Return a page with links to the characters, for a server that has nothing else.

        Args:
            characters: ``None`` when the directory cannot list them: then one asks for an id.
            sign_out: Where a POST ends the user's session, if there is one.
        """
        return self._page.index(characters, sign_out)

    def handle(self, request: WebRequest, read: Callable[[], bytes] | None = None) -> WebResponse:
        """Answer one request. Raises nothing: what went wrong is the answer.

        Args:
            request: What was asked.
            read: Reads the body, once the request is admitted; `WebRequest.body` without it.
        """
        try:
            found = match(request.method, request.path)
            if found.route.action is None:
                return static_file(found.item_id, request.headers.get("if-none-match"))
            elsewhere = foreign(request, self._settings.trusted_origins)
            if elsewhere and not found.route.reads:
                raise BadRequest(
                    403, "CROSS_SITE", "Requests that change something must come from this site."
                )
            try:
                user = ask(
                    self._authorize,
                    request.native,
                    found.route.action,
                    found.character_id,
                    self._settings.authorize_timeout,
                )
            except AccessDenied as error:
                if found.route.name == "page":
                    return sign_in(error, request.root)
                raise
            if read is not None and found.route.method != "GET":
                request = evolve(request, body=read())
            return self._answer(request, found, user, elsewhere)
        except Exception as error:  # noqa: BLE001 - the answer to the client; logged
            return failure_response(error)

    def _answer(
        self, request: WebRequest, found: Found, user: str | None, elsewhere: bool
    ) -> WebResponse:
        call = Call(
            service=self.service,
            runs=self._runs,
            settings=self._settings,
            request=request,
            character_id=found.character_id,
            item_id=found.item_id,
            media_id=found.media_id,
            user=user,
            foreign=elsewhere,
        )
        if found.route.name == "page":
            try:
                character = call.character()
            except CharimgError as error:
                return page_failure(error)
            return self._page.render(request, character, self.service.media.locate)
        return _HANDLERS[found.route.name](call)
