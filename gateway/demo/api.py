"""The demo's client of the gateway: plain HTTP calls, as any integration makes them."""

from types import TracebackType
from typing import Any, Self

import httpx

TIMEOUT_SECONDS = 60


class DemoFailed(Exception):  # noqa: N818 - says what is the case
    """The demo cannot go on, or its result is not what it has to be."""


class Api:
    """Lago's API of one organization; `url` is the gateway's root without a slash at the end."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        # trust_env off: a proxy of the surroundings cannot reach this machine's loopback
        self._client = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def get(self, path: str, **query: str) -> Any:
        """Return the decoded answer of a GET."""
        return _decoded(await self._send("GET", path, params=query), path)

    async def post(self, path: str, body: object = None) -> Any:
        """Return the decoded answer of a POST, None where it is empty."""
        return _decoded(await self._send("POST", path, json=body), path)

    async def refusal(self, path: str, body: object) -> dict[str, Any]:
        """Return the error body of a POST; raises `DemoFailed` unless it is refused."""
        response = await self._send("POST", path, json=body)
        if response.is_success:
            message = f"POST {path} was accepted, but had to be refused"
            raise DemoFailed(message)
        refused: dict[str, Any] = response.json()
        return refused

    async def download(self, link: str) -> bytes:
        """Return the bytes behind a link."""
        response = await self._send("GET", link)
        if not response.is_success:
            message = f"the file could not be fetched: HTTP {response.status_code}"
            raise DemoFailed(message)
        return response.content

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            message = f"{method} {path}: {type(error).__name__} {error}"
            raise DemoFailed(message) from error


def _decoded(response: httpx.Response, path: str) -> Any:
    if not response.is_success:
        message = f"{path} answered {response.status_code}: {response.text}"
        raise DemoFailed(message)
    return response.json() if response.content else None
