"""Quotes handed to a desk in lock-step: the next ones only when every pass and job of the last is done.

So the verdicts are the same at any speed. A server that goes away and comes back is waited for, and quotes whose answer
was lost on the way are never handed in twice; for that, nobody else may hand in quotes at the same time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.client import RETRY_SECONDS, Away, Client, Refusal
from cli.quotefile import QuoteRow
from config.errors import Problem

POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.001, 0.05

_SYSTEM = "query { system { newestBatch evaluatedThrough } }"
_INGEST = """
mutation ($input: IngestQuotesInput!) {
  ingestQuotes(input: $input) {
    newestBatch accepted rounded dropped { symbol reason count } suspect { symbol held count }
    userErrors { code message transient }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What the desk made of quotes handed in; `answered` is False where it took them and its answer was lost."""

    newest_batch: int
    accepted: int
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (symbol, reason), SUSPECT if held back
    answered: bool = True
    rounded: int = 0


class LockStep:
    """The only feeder of one desk; `newest` is the number of the newest batch, once known."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.newest: int | None = None

    async def feed(self, quotes: Sequence[QuoteRow]) -> Ingested:
        """Hand the quotes in exactly once. Raises Problem when refused, Away when the patience is used up."""
        before = await self._newest() if self.newest is None else self.newest
        deadline = time.monotonic() + self.client.patience_seconds
        while True:
            try:
                ingested = await self._send(quotes)
                break
            except Refusal as refusal:
                if not refusal.transient or time.monotonic() >= deadline:
                    raise
            except Away:
                if time.monotonic() >= deadline:
                    raise
                newest = await self._newest()
                if newest > before:
                    ingested = Ingested(newest, len(quotes), answered=False)
                    break
            await asyncio.sleep(RETRY_SECONDS)
        self.newest = max(before, ingested.newest_batch)
        return ingested

    async def wait(self) -> None:
        """Return once the desk has judged every account at the newest batch and done the jobs that came of it.

        Raises Problem where it does nothing for as long as the client is patient: nobody works there.
        """
        pause, judged = POLL_SECONDS_MIN, -1
        while True:
            system = await self.client.ask(_SYSTEM)
            if system["evaluatedThrough"] >= (self.newest or 0):
                return
            if system["evaluatedThrough"] > judged:
                judged, deadline = system["evaluatedThrough"], time.monotonic() + self.client.patience_seconds
            if time.monotonic() >= deadline:
                raise Problem(
                    f"batch {self.newest} has not been judged for {self.client.patience_seconds:.0f} s, nor the jobs "
                    "that came of it done; is a worker running (propdesk work), and do its jobs succeed?"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, POLL_SECONDS_MAX)

    async def _newest(self) -> int:
        system = await self.client.ask(_SYSTEM)
        return system["newestBatch"] or 0

    async def _send(self, quotes: Sequence[QuoteRow]) -> Ingested:
        rows = [{"symbol": q.symbol, "bid": q.bid, "ask": q.ask, "time": q.time.isoformat()} for q in quotes]
        answer = await self.client.once(_INGEST, input={"quotes": rows})
        dropped = Counter({(drop["symbol"], drop["reason"]): drop["count"] for drop in answer["dropped"]})
        held = Counter({(one["symbol"], "SUSPECT"): one["count"] for one in answer["suspect"] if one["held"]})
        return Ingested(answer["newestBatch"] or 0, answer["accepted"], dropped + held, rounded=answer["rounded"])
