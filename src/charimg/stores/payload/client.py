"""The connection to a Payload CMS that the stores of one host share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from ..._arguments import Unpicklable, checked
from ..._http.cms import AsyncCmsTransport, CmsTransport
from ..._library.urls import check_base_url
from ..._surely import unbroken
from ...errors import ConfigurationError
from .options import PayloadOptions
from .steps import Site, Steps

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncPayloadClient", "PayloadClient"]

T = TypeVar("T")
HttpClient = TypeVar("HttpClient")
Transport = TypeVar("Transport")


@checked
class _Client(Unpicklable, ABC, Generic[HttpClient, Transport]):
    """What `PayloadClient` and its async twin share; see there."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        options: PayloadOptions | None = None,
        timeout: float = 60.0,
        http_client: HttpClient | None = None,
    ) -> None:
        options = options or PayloadOptions()
        if api_key and token:
            raise ConfigurationError("Give Payload's api_key or a token, not both.")
        secret = api_key or token or ""
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ConfigurationError("The API key or token of Payload cannot be sent.")
        authorization = f"{options.users} API-Key {api_key}" if api_key else ""
        self.site: Site = Site(
            base_url=check_base_url(base_url),
            options=options,
            authorization=f"JWT {token}" if token else authorization,
        )
        self._transport: Transport = self._over(timeout, http_client)

    @abstractmethod
    def _over(self, timeout: float, http_client: HttpClient | None) -> Transport:
        """Return what sends the requests."""

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        options: PayloadOptions | None = None,
        timeout: float = 60.0,
        http_client: HttpClient | None = None,
    ) -> Self:
        """Make a client from ``payload+https://host?media=…&metadata=…&characters=…&cdn=…``.

        Raises:
            ConfigurationError: It is no such URL; nothing of it is shown.
        """
        base_url, options = PayloadOptions.from_url(url, options or PayloadOptions())
        return cls(
            base_url,
            api_key=api_key,
            token=token,
            options=options,
            timeout=timeout,
            http_client=http_client,
        )

    @property
    def transport(self) -> Transport:
        """What sends the requests."""
        return self._transport

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.site.base_url!r})"


class PayloadClient(_Client["httpx.Client", CmsTransport]):
    """Talks to one Payload CMS; give it to the stores. Safe for several threads.

    Args:
        base_url: Where Payload is, without ``/api``.
        api_key: The API key of a user; sent to this origin alone, and never shown.
        token: A JWT instead.
        options: Collections and fields, where they are not the defaults.
        timeout: Seconds for each of connecting, sending and receiving.
        http_client: An `httpx.Client` of yours; it is never closed here.

    Raises:
        ConfigurationError: The URL or the key cannot be used.
    """

    def _over(self, timeout: float, http_client: httpx.Client | None) -> CmsTransport:
        return CmsTransport(timeout=timeout, client=http_client)

    def run(self, steps: Steps[T]) -> T:
        """Carry out the steps of one call."""
        try:
            request = next(steps)
            while True:
                answer = self._transport.send(request, self.site.headers(request.url))
                request = steps.send(self.site.marked(answer))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    def check(self) -> None:
        """Check that Payload answers and accepts the key.

        Raises:
            StorageError: It does not.
        """
        self.run(self.site.check())

    def close(self) -> None:
        """Close the connections, unless the HTTP client was injected. Idempotent."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncPayloadClient(_Client["httpx.AsyncClient", AsyncCmsTransport]):
    """The async twin of `PayloadClient`, for one event loop of asyncio or trio."""

    def _over(self, timeout: float, http_client: httpx.AsyncClient | None) -> AsyncCmsTransport:
        return AsyncCmsTransport(timeout=timeout, client=http_client)

    async def run(self, steps: Steps[T]) -> T:
        """See `PayloadClient.run`. A cancelled caller waits for the answer to a write.

        Payload does it all the same, perhaps after what the caller does next.
        """
        try:
            request = next(steps)
            while True:
                send = partial(self._transport.send, request, self.site.headers(request.url))
                answer = await (send() if request.reads else unbroken(send))
                request = steps.send(self.site.marked(answer))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    async def check(self) -> None:
        """See `PayloadClient.check`."""
        await self.run(self.site.check())

    async def aclose(self) -> None:
        """See `PayloadClient.close`."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
