"""Fair shares of what all callers want: a bearer and a brand may hold so many places, and the rest wait in turn.

Whoever waits is served by turns: brand after brand, within a brand bearer after bearer, and each bearer's own in their
order. So one that asks a thousand times waits for itself, and delays another by one place at most.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from config import database
from config.settings import settings
from domain.errors import Busy
from services.local import Local
from services.measures import ADMISSION_REFUSALS

CALLERS_SHARE = 0.8  # of the pool; the rest is for work that is nobody's own: events, ticks, actions that go together
RETRY_SECONDS_MIN = 1.0

_Granted = asyncio.Future[None]


class Party(Protocol):
    """Who wants a place."""

    @property
    def bearer(self) -> Hashable: ...

    @property
    def brand(self) -> Hashable: ...


@dataclass(eq=False, slots=True)
class _Brand:
    key: Hashable
    places: int = 0
    bearers: int = 0
    ready: "OrderedDict[Share, None]" = field(default_factory=OrderedDict)  # bearers that wait and may have one more


@dataclass(eq=False, slots=True)
class Share:
    """A bearer's: how many places it holds, and what of it waits."""

    key: Hashable
    brand: _Brand
    places: int = 0
    waiting: OrderedDict[_Granted, float] = field(default_factory=OrderedDict)  # since when, in the order they came


@dataclass(frozen=True, slots=True)
class Limits:
    """How many places there are, how many a brand and a bearer may hold, how many of a bearer may wait, how long.

    Without the last two everybody waits until it is its turn.
    """

    places: int
    brand: int
    bearer: int
    waiting: int | None = None
    seconds: float | None = None


class FairShare:
    """The places and who waits for one. Used from one event loop.

    While a place is free nobody waits who may have it.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._free = limits.places
        self._shares: dict[Hashable, Share] = {}
        self._brands: dict[Hashable, _Brand] = {}
        self._ready: OrderedDict[_Brand, None] = OrderedDict()  # brands that may have one more, with ready bearers

    def check_room(self, party: Party) -> None:
        """Raises Busy where as many of the bearer's wait as may: of a document nothing need be begun then."""
        share = self._shares.get(party.bearer)
        if share is not None and self.limits.waiting is not None and len(share.waiting) >= self.limits.waiting:
            raise self._busy(share, "queue", asyncio.get_running_loop().time())

    def take(self, party: Party) -> Share | None:
        """A place at once, to be given back; None where the party has to wait."""
        share = self._shares.get(party.bearer) or self._open(party)
        brand = share.brand
        if self._free and share.places < self.limits.bearer and brand.places < self.limits.brand:
            self._free -= 1
            share.places += 1
            brand.places += 1
            return share
        return None

    async def wait(self, party: Party, *, patient: bool = False) -> Share:
        """A place when it is the party's turn, where there was none to take.

        Raises Busy where as many of the bearer's wait as may, or its turn does not come in time; not to the `patient`.
        """
        share = self._shares[party.bearer]
        loop = asyncio.get_running_loop()
        if not patient:
            self.check_room(party)
        granted: _Granted = loop.create_future()
        share.waiting[granted] = loop.time()
        self._enlist(share)
        try:
            async with asyncio.timeout(None if patient else self.limits.seconds):
                await granted
        except TimeoutError:
            if granted.cancelled():
                refusal = self._busy(share, "wait", loop.time())
                self._leave(share, granted)
                raise refusal from None
        except BaseException:
            if granted.done() and not granted.cancelled():
                self.give(share)
            else:
                self._leave(share, granted)
            raise
        return share

    def give(self, share: Share) -> None:
        """Give a place back, to whoever's turn it is."""
        self._free += 1
        share.places -= 1
        share.brand.places -= 1
        self._enlist(share)
        while self._free and self._ready:
            self._serve(next(iter(self._ready)))
        self._forget(share)

    def _serve(self, brand: _Brand) -> None:
        """Give the next bearer of the brand a place; both go to the end of their rows."""
        del self._ready[brand]
        share, _ = brand.ready.popitem(last=False)
        while share.waiting:
            granted, _ = share.waiting.popitem(last=False)
            if not granted.done():  # else it is cancelled, and its task has not had its turn yet
                self._free -= 1
                share.places += 1
                brand.places += 1
                granted.set_result(None)
                break
        self._enlist(share)

    def _enlist(self, share: Share) -> None:
        """Put the bearer among those whose turn comes, if it waits and may have one more; and its brand likewise."""
        brand = share.brand
        if share.waiting and share.places < self.limits.bearer:
            brand.ready[share] = None
        if brand.ready and brand.places < self.limits.brand:
            self._ready[brand] = None

    def _leave(self, share: Share, granted: _Granted) -> None:
        """Wait no longer."""
        share.waiting.pop(granted, None)
        if not share.waiting:
            share.brand.ready.pop(share, None)
            if not share.brand.ready:
                self._ready.pop(share.brand, None)
        self._forget(share)

    def _open(self, party: Party) -> Share:
        brand = self._brands.get(party.brand)
        if brand is None:
            brand = self._brands[party.brand] = _Brand(party.brand)
        brand.bearers += 1
        share = self._shares[party.bearer] = Share(party.bearer, brand)
        return share

    def _forget(self, share: Share) -> None:
        """Remember nothing of a bearer that neither holds a place nor waits for one."""
        if share.places or share.waiting or self._shares.get(share.key) is not share:
            return
        del self._shares[share.key]
        share.brand.bearers -= 1
        if not share.brand.bearers:
            del self._brands[share.brand.key]

    def _busy(self, share: Share, reason: str, now: float) -> Busy:
        """The refusal; to come back takes about as long as the bearer's oldest has waited by now."""
        ADMISSION_REFUSALS.labels(reason).inc()
        oldest = next(iter(share.waiting.values()), now)
        wait = round(max(now - oldest, RETRY_SECONDS_MIN), 1)
        waiting, limits = len(share.waiting), self.limits
        return Busy(waiting=waiting, waiting_max=limits.waiting, connections_max=limits.bearer, retry_after=wait)


def _of_pool() -> FairShare:
    """Shares of the pool. Of a small one each gets a connection, and callers together never the last."""
    given, size = settings(), database.pool().get_max_size()
    places = max(1, min(size - 1, int(size * CALLERS_SHARE)))
    brand = max(1, min(places, int(size * given.pool_share_brand)))
    bearer = max(1, min(brand, int(size * given.pool_share_bearer)))
    return FairShare(Limits(places, brand, bearer, given.queue_bearer_max, given.queue_seconds_max))


admission = Local(_of_pool)
"""To the pool of the database this process works on."""
