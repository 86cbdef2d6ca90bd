"""Sends quotes to a desk in lock-step: the next batch goes out once the last one is judged and its jobs are done.

So the verdicts are the same at any speed. The sender waits for a server that restarts, and never repeats quotes whose
response was lost. To detect those it must be the only feeder of the desk.
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
    """The desk's result for submitted quotes; `answered` is False if it took them but its response was lost."""

    newest_batch: int
    accepted: int
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (symbol, reason); SUSPECT: on hold
    answered: bool = True
    rounded: int = 0


class LockStep:
    """The only feeder of one desk; `newest` is the number of the newest batch, None before the first query."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.newest: int | None = None

    async def feed(self, quotes: Sequence[QuoteRow]) -> Ingested:
        """Submit the quotes exactly once. Raises Problem if refused, Away if the server stays unreachable."""
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
        """Wait until the desk has judged every account at the newest batch and done the resulting jobs.

        Raises Problem if the desk makes no progress for `patience_seconds`, as without a worker.
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
