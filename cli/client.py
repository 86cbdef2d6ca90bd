"""A GraphQL client over HTTP for the commands that call a running desk: replay and demo."""

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import httpx

from config.errors import Problem

REQUEST_SECONDS_MAX = 60.0
RETRY_SECONDS = 0.2
_AWAY_STATUSES = frozenset({502, 503, 504})


class Away(Problem):
    """The server is unreachable or failed internally. The request may or may not have taken effect."""


class Refusal(Problem):
    """The desk refused a mutation. `codes` are the codes of its user errors; `transient`: a retry may succeed."""

    def __init__(self, field: str, errors: list[dict[str, Any]]) -> None:
        self.codes = tuple(str(error["code"]) for error in errors)
        self.transient = all(error.get("transient", False) for error in errors)
        super().__init__(f"{field} was refused: " + "; ".join(f"{e['code']}: {e['message']}" for e in errors))


class Client:
    """A client of one desk with one bearer token, over persistent connections.

    `patience_seconds` limits how long `ask` retries while the server is unreachable.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience_seconds: float = 0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url
        self.patience_seconds = patience_seconds
        self._http = httpx.AsyncClient(headers=headers, timeout=REQUEST_SECONDS_MAX, transport=transport)

    @property
    def shown(self) -> str:
        """Return the address without user name and password, for messages."""
        return str(httpx.URL(self.url).copy_with(username="", password=None))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def once(self, document: str, **variables: Any) -> Any:
        """Send the document once and return the value of its only root field.

        Raises Refusal for user errors, Away if the outcome is uncertain, Problem for everything else.
        """
        try:
            response = await self._http.post(self.url, json={"query": document, "variables": variables})
        except httpx.TransportError as error:
            raise Away(f"cannot reach {self.url}: {str(error) or type(error).__name__}") from None
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise Problem(f"cannot use the address or the token for {self.url}: {error}") from None
        return _field(str(response.url.copy_with(username="", password=None)), response)

    async def ask(self, document: str, **variables: Any) -> Any:
        """Like `once`, but retry while the server is unreachable. Use it for queries and for idempotent mutations."""
        deadline = time.monotonic() + self.patience_seconds
        while True:
            try:
                return await self.once(document, **variables)
            except Away:
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(RETRY_SECONDS)


def _field(url: str, response: httpx.Response) -> Any:
    """Return the value of the only root field of a response."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.status_code in _AWAY_STATUSES:
        raise Away(f"{url} answers HTTP {response.status_code}{_reason(body)}")
    if not isinstance(body, dict) or not ({"data", "errors"} & body.keys()):
        raise Problem(f"{url} answers HTTP {response.status_code} and no GraphQL; is it the address of a desk?")
    if errors := body.get("errors"):
        raise _explained(errors[0])
    ((field, value),) = body["data"].items()
    if isinstance(value, dict) and value.get("userErrors"):
        raise Refusal(field, value["userErrors"])
    return value


def _reason(body: Any) -> str:
    """Return the first error's code and message, or "" if there is none, as in a proxy's response."""
    try:
        error = body["errors"][0]
        return f" ({error['extensions']['code']}: {error['message']})"
    except (TypeError, KeyError, IndexError):
        return ""


def _explained(error: dict[str, Any]) -> Problem:
    code = (error.get("extensions") or {}).get("code")
    message = str(error.get("message", "the request failed"))
    if code == "INTERNAL":
        return Away(f"the server failed: {message}")
    if code in ("UNAUTHENTICATED", "FORBIDDEN"):
        return Problem(f"{code}: {message}; pass another token with --token or PROPDESK_TOKEN")
    return Problem(f"{code}: {message}" if code else message)
