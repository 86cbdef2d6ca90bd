"""One bearer that speaks GraphQL over HTTP to the desk's API processes, and repeats what is transient or in doubt.

The same request goes to the next address with the same idempotency key until its outcome is known, as a careful
client's does. Each step is in the journal before the next one.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.cluster.journal import Journal, Outcome, Request

ATTEMPT_SECONDS_MAX = 15.0  # an attempt that has no answer by then is in doubt: its process may be frozen
RETRY_SECONDS = 0.25
NOT_DONE = frozenset({"RATE_LIMITED", "BUSY", "TIME_LIMIT"})  # nothing was done: ask again
IN_DOUBT = frozenset({"UNAVAILABLE", "INTERNAL", "CALLER_GONE"})  # it may have been done: ask again
NEVER = frozenset({"UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT"})  # a token or a rule that was lost
TRANSIENT_REFUSALS = frozenset({"LOCKED"})  # user errors that say nothing of the request itself


class Fault(AssertionError):
    """The desk answered what it must never answer to this request."""


@dataclass(slots=True)
class Speaker:
    """A bearer of a token. `urls`: the GraphQL addresses of the API processes, the nearest first."""

    who: str
    token: str
    urls: Sequence[str]
    journal: Journal
    http: httpx.AsyncClient
    patience_seconds: float = 180.0
    place: int = 0  # of the address that is asked next
    internal: list[str] = field(default_factory=list)  # answers INTERNAL, for the report

    async def ask(
        self, operation: str, answer: str, /, *, key: str | None = None, has_key: bool = True, **content: Any
    ) -> Request:
        """Send one mutation until its outcome is known, or the patience is at an end; return what the journal knows.

        `answer`: the selection of its payload. `has_key`: its input has an idempotencyKey, which is the request's id.
        """
        request = self.journal.send(self.who, operation, content, key)
        sent = dict(content) | ({"idempotencyKey": request.id} if has_key else {})
        kind = operation[0].upper() + operation[1:] + "Input"
        document = f"mutation ($input: {kind}!) {{ {operation}(input: $input) {{ {answer} "
        document += "userErrors { code field message } } }"
        deadline = time.monotonic() + self.patience_seconds
        while time.monotonic() < deadline:
            wait = await self._attempt(request, document, {"input": sent})
            if request.outcome is not Outcome.UNKNOWN:
                break
            await asyncio.sleep(wait)
        return request

    async def done(self, operation: str, answer: str, /, **options: Any) -> dict[str, Any]:
        """The same for what nobody may refuse; return its payload. Raises Fault where it is refused."""
        request = await self.ask(operation, answer, **options)
        if request.outcome is not Outcome.DONE:
            raise Fault(f"{request.id} {operation}: {request.outcome} {request.codes} {request.doubts[-1:]}")
        return request.payload

    async def query(self, document: str, **variables: Any) -> Any:
        """The data of a query, asked until it is answered. Raises Fault for an error that stays."""
        deadline = time.monotonic() + self.patience_seconds
        while True:
            body, why = await self._post(document, variables)
            errors = body.get("errors") or ()
            if body.get("data") is not None and not errors:
                return body["data"]
            codes = {code_of(error) for error in errors}
            if body and not codes & (NOT_DONE | IN_DOUBT):
                raise Fault(f"{self.who} asked {document[:80]!r}, and the desk answered {errors}")
            if time.monotonic() > deadline:
                raise Fault(f"{self.who} asked {document[:80]!r} for {self.patience_seconds} s: {why or errors}")
            await asyncio.sleep(_wait(errors))

    async def _attempt(self, request: Request, document: str, variables: Mapping[str, Any]) -> float:
        """Send it once, note what came of it, and return how long to wait before the next attempt."""
        body, why = await self._post(document, variables)
        if not body:
            self.journal.doubt(request, why)
            return RETRY_SECONDS
        if errors := body.get("errors"):
            return self._take_errors(request, errors)
        payload = body["data"][request.operation]
        codes = tuple(error["code"] for error in payload.pop("userErrors"))
        if not codes:
            self.journal.done(request, payload)
        elif not TRANSIENT_REFUSALS.issuperset(codes):
            self.journal.refuse(request, codes)
        return RETRY_SECONDS

    def _take_errors(self, request: Request, errors: Sequence[Mapping[str, Any]]) -> float:
        codes = tuple(code_of(error) for error in errors)
        if NEVER.intersection(codes):
            raise Fault(f"{request.id} {request.operation}: {codes} {errors[0].get('message')}")
        if IN_DOUBT.intersection(codes):
            self.journal.doubt(request, "/".join(codes))
            if "INTERNAL" in codes:
                self.internal.append(str(errors[0].get("message")))
        elif not NOT_DONE.issuperset(codes):
            self.journal.refuse(request, codes)
        return _wait(errors)

    async def _post(self, document: str, variables: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """The body of a GraphQL answer, or nothing and why; without an answer the next address is the first."""
        url = self.urls[self.place % len(self.urls)]
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS_MAX):
                response = await self.http.post(url, json={"query": document, "variables": variables}, headers=headers)
            body = response.json()
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            self.place += 1
            return {}, f"{type(error).__name__}: {error}"
        if response.status_code >= 500:
            self.place += 1
        if isinstance(body, dict) and body.keys() & {"data", "errors"}:
            return body, ""
        return {}, f"HTTP {response.status_code}"


def code_of(error: Mapping[str, Any]) -> str:
    """The code of an error beside the data."""
    return str((error.get("extensions") or {}).get("code", "none"))


def _wait(errors: Sequence[Mapping[str, Any]]) -> float:
    """Seconds until the next attempt: as the desk says, at least a moment."""
    named = [(error.get("extensions") or {}).get("retryAfter") for error in errors]
    return max([RETRY_SECONDS, *(min(float(seconds), 5.0) for seconds in named if seconds)])
