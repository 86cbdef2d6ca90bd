"""The quote cache: this process's copy of the batches, which are immutable and numbered without gaps.

The newest batches are kept in memory; older ones are read from the database when an account needs them.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime

from domain.errors import NoMarket
from domain.instruments import Catalogue
from domain.quotes import Batch, Quote
from models import quotes
from models.quotes import Clocks
from models.sql import Connection
from services.per_database import PerDatabase

BATCHES_KEPT = 20_000


class QuoteCache:
    """The batches with floor < n <= newest, and by symbol each of their quotes and the newest one before."""

    def __init__(self) -> None:
        self.catalogue = Catalogue({}, {})
        self.latest: Mapping[str, Quote] = {}
        self.newest = 0
        self._catalogue_version = 0
        self._floor: int | None = None
        self._batches: list[Batch] = []
        self._history: dict[str, tuple[list[int], list[Quote]]] = {}

    async def extend(self, conn: Connection, seen: Clocks | None = None) -> Clocks:
        """Read new batches; return the clocks as the database has them, or `seen` if they were just read."""
        now = seen or await quotes.read_clocks(conn)
        if now.catalogue_version != self._catalogue_version:
            self.catalogue = await quotes.read_catalogue(conn)
            self._catalogue_version = now.catalogue_version
        if self._floor is None:
            base = await quotes.read_market(conn, now.number)
            if self._floor is None:
                self._begin(now.number, base)
        if now.number > self.newest:
            await self._read_on(conn, now.number)
        return now

    async def _read_on(self, conn: Connection, through: int) -> None:
        """Append new batches. If some were deleted while this process slept, start the cache anew."""
        after = self.newest
        found = await quotes.read_batches(conn, after, through)
        if len(found) < through - after:
            base = await quotes.read_market(conn, through)
            if through > self.newest:  # another task may have read more, here and below
                self._begin(through, base)
            return
        for batch in found:
            if batch.number > self.newest:
                self._append(batch)
        self._trim()

    def _begin(self, floor: int, base: Mapping[str, tuple[int, Quote]]) -> None:
        self._floor = self.newest = floor
        self._batches = []
        self._history = {symbol: ([number], [quote]) for symbol, (number, quote) in base.items()}
        self.latest = {symbol: quote for symbol, (_, quote) in base.items()}

    def _append(self, batch: Batch) -> None:
        assert batch.number == self.newest + 1, "batches are dense"
        self._batches.append(batch)
        self.newest = batch.number
        for quote in batch.quotes:
            numbers, known = self._history.setdefault(quote.symbol, ([], []))
            numbers.append(batch.number)
            known.append(quote)
        if batch.quotes:
            self.latest = {**self.latest, **{quote.symbol: quote for quote in batch.quotes}}

    def _trim(self) -> None:
        """Halve a full cache, keeping each symbol's newest quote at the new floor."""
        if len(self._batches) < 2 * BATCHES_KEPT:
            return
        self._batches = self._batches[-BATCHES_KEPT:]
        self._floor = floor = self._batches[0].number - 1
        for numbers, known in self._history.values():
            first = max(bisect_right(numbers, floor) - 1, 0)
            del numbers[:first], known[:first]

    async def market(self, conn: Connection, as_of: int) -> Mapping[str, Quote]:
        """Return the newest quote of every symbol as of a batch."""
        if as_of >= self.newest:
            return self.latest
        if self._floor is None or as_of < self._floor:
            return {symbol: quote for symbol, (_, quote) in (await quotes.read_market(conn, as_of)).items()}
        found: dict[str, Quote] = {}
        for symbol, (numbers, known) in self._history.items():
            if place := bisect_right(numbers, as_of):
                found[symbol] = known[place - 1]
        return found

    async def batches(self, conn: Connection, after: int, through: int) -> list[Batch]:
        """Return the batches with after < n <= through; `through` is at most the newest."""
        if after >= through:
            return []
        if self._floor is None or after < self._floor:
            return await quotes.read_batches(conn, after, through)
        return self._batches[after - self._floor : through - self._floor]


quote_cache = PerDatabase(QuoteCache)
"""The quote cache of the open database."""


def market_time(now: Clocks) -> datetime:
    """Return the market time: in a replay the newest batch's, else the database's now, never behind the newest batch.

    Raises NoMarket in a replay that has not begun.
    """
    if now.mode == "REPLAY":
        if now.market_time is None:
            raise NoMarket
        return now.market_time
    return now.real_time if now.market_time is None else max(now.real_time, now.market_time)
