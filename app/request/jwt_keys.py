"""The public keys of the issuer of JWTs, fetched from its address and kept."""

import asyncio
import logging
import time

import httpx
import jwt

from schema.engine.errors import Busy
from services.telemetry import KEY_FETCHES, KEY_REFUSALS

KEYS_SECONDS = 600  # before the keys are fetched again
RETRY_SECONDS = 10  # between fetches for an unknown key
BYTES_MAX = 1 << 20  # of the response; a key has about a thousand bytes

log = logging.getLogger(__name__)


class JwtKeys:
    """The public keys at an address. Used from one event loop.

    A known key is returned at once; old keys are renewed in the background. Only requests with an unknown key wait: at
    most `waiting_max` of them, all for the same fetch, for at most `seconds_max`.
    """

    def __init__(self, url: str, seconds_max: float, waiting_max: int) -> None:
        self._url = url
        self._seconds_max = seconds_max
        self._waiting_max = waiting_max
        self._waiting = 0  # requests with an unknown key
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")  # when the newest fetch began
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of this id; None if there is none, or the issuer does not answer in time.

        Raises Busy for an unknown key while the maximum number of requests waits.
        """
        is_known = key_id in self._keys
        age = time.monotonic() - self._fetched_at
        if self._fetching is None and age > (KEYS_SECONDS if is_known else RETRY_SECONDS):
            self._fetched_at = time.monotonic()
            self._fetching = asyncio.create_task(self._fetch())
        if not is_known and self._fetching is not None:
            await self._wait(self._fetching)
        return self._keys.get(key_id)

    async def _wait(self, fetching: asyncio.Task[None]) -> None:
        if self._waiting >= self._waiting_max:
            KEY_REFUSALS.inc()
            raise Busy.at("bearers of JWTs with an unknown key", self._waiting_max)
        self._waiting += 1
        try:
            await asyncio.shield(fetching)  # a caller that goes away does not cancel it for the others
        finally:
            self._waiting -= 1

    async def _fetch(self) -> None:
        """Fetch the keys. A failure is logged and counted, and the earlier keys stay."""
        try:
            async with asyncio.timeout(self._seconds_max):
                text = await self._read()
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(text).keys}
            KEY_FETCHES.labels("done").inc()
        except Exception as error:  # noqa: BLE001 - the issuer's server may answer anything
            KEY_FETCHES.labels("failed").inc()
            log.warning(
                "the public keys of JWTs could not be fetched from %s: %s", self._url, error or type(error).__name__
            )
        finally:
            self._fetching = None

    async def _read(self) -> str:
        async with httpx.AsyncClient(timeout=self._seconds_max) as client, client.stream("GET", self._url) as answer:
            answer.raise_for_status()
            text = b""
            async for part in answer.aiter_bytes():
                text += part
                if len(text) > BYTES_MAX:
                    raise ValueError(f"the response is larger than {BYTES_MAX} bytes")
        return text.decode()
