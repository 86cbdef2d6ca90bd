"""Fair shares of what all callers want: a bearer and a brand may hold so many places, and the rest wait in turn.

Whoever waits is served by turns: brand after brand, within a brand bearer after bearer, and each bearer's own in their
order. So one that asks a thousand times waits for itself, and delays another by one place at most.

While others ask as well, a bearer holds half as many places as it may, and one that has held more places on average
than its share is slow: it holds one, out of the few that all slow bearers share. A bearer of which no statement is
known yet holds one until it came back quickly, so that one that begins with many long statements begins with one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from config import database
from config.settings import settings
from domain.errors import Busy
from services.per_database import PerDatabase
from services.telemetry import ADMISSION_REFUSALS, SLOWED
from services.usage import ConnectionUse, RecentBearers

CALLERS_SHARE = 0.8  # of the pool; the rest is for work that is nobody's own: events, ticks, actions that go together
SLOW_SHARE = 0.2  # of the pool, for all slow bearers together
SLOW_BRAND = 1  # places that all slow bearers of a brand hold
OVER_BRAND = 2  # places of a brand over its share: so its slow bearers leave one to the others
QUICK_SECONDS = 0.1  # of a first place: its bearer may then hold several
RETRY_SECONDS_MIN = 1.0
KEEP_SECONDS = 60.0  # for which a bearer that neither holds a place nor waits is remembered, and its use
KEEP_MAX = 10_000  # bearers

_Granted = asyncio.Future[None]


class Bearer(Protocol):
    """Who wants a place."""

    @property
    def bearer(self) -> Hashable: ...

    @property
    def brand(self) -> Hashable: ...


@dataclass(eq=False, slots=True)
class _Brand:
    key: Hashable
    use: ConnectionUse
    bearers: int = 0
    slow: int = 0  # places of its slow bearers
    is_over: bool = False  # its share, while other brands ask


@dataclass(eq=False, slots=True)
class Share:
    """A bearer's: how many places it holds, and what of it waits."""

    key: Hashable
    brand: _Brand
    use: ConnectionUse
    waiting: OrderedDict[_Granted, float] = field(default_factory=OrderedDict)  # since when, in the order they came
    since: float = 0.0  # when it came to hold a place, while it does
    is_known: bool = False  # a place came back quickly, since it was slow
    is_slow: bool = False  # over its share, while others ask
    holds_slow: bool = False  # its place is one of those of slow bearers
    runs_low: bool = False  # others ask, and it is slow, or nothing is known of it: its reads let others go first


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


@dataclass(frozen=True, slots=True)
class Averages:
    """While others ask: how many places a brand and a bearer may hold on average, how many a bearer of which quick
    statements are known may hold at once, and all slow bearers together.
    """

    brand: float
    bearer: float
    known: int
    slow: int


class _Row:
    """Bearers that wait, by turns: brand after brand, in each bearer after bearer."""

    def __init__(self) -> None:
        self._of: OrderedDict[_Brand, OrderedDict[Share, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, share: Share) -> None:
        """Put it at the end of its brand's, if it is not in the row."""
        self._of.setdefault(share.brand, OrderedDict()).setdefault(share)

    def remove(self, share: Share) -> None:
        """Take it out, if it is in the row."""
        shares = self._of.get(share.brand)
        if shares is not None and share in shares:
            del shares[share]
            if not shares:
                del self._of[share.brand]

    def pass_over(self, brand: _Brand) -> None:
        """Let all other brands have their turn before it."""
        if brand in self._of:
            self._of.move_to_end(brand)

    def pop(self, brands: Callable[[_Brand], bool], bearers: Callable[[Share], bool]) -> Share | None:
        """Take out the first bearer that may have a place, and put its brand at the end.

        Who may not holds a place, so that as many are passed over as there are places.
        """
        for brand, shares in self._of.items():
            if brands(brand):
                share = next(filter(bearers, shares), None)
                if share is not None:
                    self._of.move_to_end(brand)
                    self.remove(share)
                    return share
        return None


class FairShare:
    """The places and who waits for one. Used from one event loop.

    While a place is free nobody waits who may have it.
    """

    def __init__(self, limits: Limits, averages: Averages | None = None) -> None:
        """Without averages nobody is slow."""
        self.limits = limits
        self.averages = averages
        self._free = limits.places
        self._slow_free = averages.slow if averages else 0
        self._shares: dict[Hashable, Share] = {}
        self._brands: dict[Hashable, _Brand] = {}
        self._row, self._slow_row = _Row(), _Row()
        self._idle: OrderedDict[Share, float] = OrderedDict()  # remembered, since when
        self._bearers, self._of_brands = RecentBearers(), RecentBearers()

    def check_room(self, party: Bearer) -> None:
        """Raises Busy where as many of the bearer's wait as may: of a document nothing need be begun then."""
        share = self._shares.get(party.bearer)
        if share is not None and self.limits.waiting is not None and len(share.waiting) >= self.limits.waiting:
            raise self._busy(share, "queue", asyncio.get_running_loop().time())

    def note_work_for_many(self) -> None:
        """Somebody asks who takes no place: work that is shared by several bearers."""
        now = monotonic()
        self._bearers.note(None, now)
        self._of_brands.note(None, now)

    def take(self, party: Bearer, *, writes: bool = False) -> Share | None:
        """A place at once, to be given back; None where the party has to wait.

        What `writes` may hold what others wait for, so that its bearer's being slow does not keep it waiting.
        """
        now = monotonic()
        share = self._shares.get(party.bearer) or self._open(party, now)
        self._bearers.note(share.key, now)
        self._of_brands.note(share.brand.key, now)
        brand = share.brand
        if self._free and (
            self._may(share, now)
            or (writes and share.use.places < self.limits.bearer and brand.use.places < self.limits.brand)
        ):
            self._grant(share, now)
            return share
        return None

    async def wait(self, party: Bearer, *, patient: bool = False) -> Share:
        """A place when it is the party's turn, where there was none to take.

        Raises Busy where as many of the bearer's wait as may, or its turn does not come in time; not to the `patient`.
        """
        share = self._shares[party.bearer]
        loop = asyncio.get_running_loop()
        if not patient:
            self.check_room(party)
        granted: _Granted = loop.create_future()
        share.waiting[granted] = loop.time()
        self._enlist(share, monotonic())
        try:
            async with asyncio.timeout(None if patient else self.limits.seconds):
                await granted
        except TimeoutError:
            if granted.cancelled():
                refusal = self._busy(share, "share" if share.is_slow else "wait", loop.time())
                self._leave(share, granted)
                raise refusal from None
        except BaseException:
            if granted.done() and not granted.cancelled():
                self.give(share, unused=True)
            else:
                self._leave(share, granted)
            raise
        return share

    def give(self, share: Share, *, unused: bool = False) -> None:
        """Give a place back, to whoever's turn it is. One that was `unused`, or cut off, says nothing of its bearer."""
        now = monotonic()
        share.is_known = share.is_known or (not unused and now - share.since < QUICK_SECONDS)
        self._free += 1
        share.use.change(-1, now)
        share.brand.use.change(-1, now)
        if share.holds_slow and not share.use.places:
            self._hold_slow(share, -1)
        if share.waiting:
            self._row.remove(share)  # it has just had a turn
            self._slow_row.remove(share)
            self._enlist(share, now)
        self._row.pass_over(share.brand)
        self._slow_row.pass_over(share.brand)
        while self._free and (next_one := self._next(now)):
            self._serve(next_one, now)
        self._forget(share, now)

    def _next(self, now: float) -> Share | None:
        """Take out of its row the bearer whose turn it is, if any may have a place; slow ones come last."""
        share = None
        if self._row:
            share = self._row.pop(
                lambda brand: brand.use.places < self._most_of_brand(brand, now),
                lambda one: one.use.places < self._most(one, now),
            )
        if share is None and self._slow_row and self._slow_free > 0:
            share = self._slow_row.pop(
                lambda brand: brand.slow < SLOW_BRAND and brand.use.places < self._most_of_brand(brand, now),
                lambda one: not one.use.places,
            )
        return share

    def _serve(self, share: Share, now: float) -> None:
        """Give it a place, and let it wait at the end of its row for more."""
        while share.waiting:
            granted, _ = share.waiting.popitem(last=False)
            if not granted.done():  # else it is cancelled, and its task has not had its turn yet
                self._grant(share, now)
                granted.set_result(None)
                break
        self._enlist(share, now)

    def _grant(self, share: Share, now: float) -> None:
        self._free -= 1
        if not share.use.places:
            share.since = now
            if share.is_slow:
                self._hold_slow(share, 1)
        share.use.change(1, now)
        share.brand.use.change(1, now)

    def _hold_slow(self, share: Share, by: int) -> None:
        share.holds_slow = by > 0
        share.brand.slow += by
        self._slow_free -= by

    def _may(self, share: Share, now: float) -> bool:
        """May it have a place more now, if one is free?"""
        brand = share.brand
        if share.use.places >= self._most(share, now) or brand.use.places >= self._most_of_brand(brand, now):
            return False
        return not share.is_slow or (self._slow_free > 0 and brand.slow < SLOW_BRAND)

    def _most(self, share: Share, now: float) -> int:
        """Return how many places it may hold now, having looked whether it is slow."""
        if self.averages is None or not self._bearers.asks_beside(share.key, now):
            share.is_slow = share.runs_low = False
            return self.limits.bearer
        is_slow = share.use.average(now) > self.averages.bearer
        if is_slow and not share.is_slow:
            SLOWED.labels("bearer").inc()
            share.is_known = False
        share.is_slow, share.runs_low = is_slow, is_slow or not share.is_known
        return self.averages.known if share.is_known and not is_slow else 1

    def _most_of_brand(self, brand: _Brand, now: float) -> int:
        """Return how many places it may hold now, having looked whether it is over its share."""
        if self.averages is None or not self._of_brands.asks_beside(brand.key, now):
            brand.is_over = False
            return self.limits.brand
        is_over = brand.use.average(now) > self.averages.brand
        if is_over and not brand.is_over:
            SLOWED.labels("brand").inc()
        brand.is_over = is_over
        return min(OVER_BRAND, self.limits.brand) if is_over else self.limits.brand

    def _enlist(self, share: Share, now: float) -> None:
        """Put the bearer into the row in which it waits for its turn, if it waits."""
        self._most(share, now)
        row, other = (self._slow_row, self._row) if share.is_slow else (self._row, self._slow_row)
        other.remove(share)
        if share.waiting:
            row.add(share)
        else:
            row.remove(share)

    def _leave(self, share: Share, granted: _Granted) -> None:
        """Wait no longer."""
        now = monotonic()
        share.waiting.pop(granted, None)
        self._enlist(share, now)
        self._forget(share, now)

    def _open(self, party: Bearer, now: float) -> Share:
        brand = self._brands.get(party.brand)
        if brand is None:
            brand = self._brands[party.brand] = _Brand(party.brand, ConnectionUse(now))
        brand.bearers += 1
        share = self._shares[party.bearer] = Share(party.bearer, brand, ConnectionUse(now))
        return share

    def _forget(self, share: Share, now: float) -> None:
        """Remember of a bearer that neither holds a place nor waits for one what it has used, for a while."""
        if share.use.places or share.waiting or self._shares.get(share.key) is not share:
            return
        self._idle.pop(share, None)
        self._idle[share] = now
        self.forget(now)

    def forget(self, now: float) -> None:
        """Remember nothing of bearers that have been idle for KEEP_SECONDS, nor of more than KEEP_MAX."""
        while self._idle:
            share, since = next(iter(self._idle.items()))
            if now - since < KEEP_SECONDS and len(self._idle) <= KEEP_MAX:
                return
            del self._idle[share]
            if share.use.places or share.waiting:
                continue  # it is back, and will be idle again
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
        if not share.is_slow or self.averages is None:
            return Busy(waiting=waiting, waiting_max=limits.waiting, connections_max=limits.bearer, retry_after=wait)
        return Busy(
            waiting=waiting,
            waiting_max=limits.waiting,
            connections_max=1,
            database_seconds_a_second=round(share.use.average(monotonic()), 2),
            database_share_max=self.averages.bearer,
            retry_after=wait,
        )


def _of_pool() -> FairShare:
    """Shares of the pool. Of a small one each gets a connection, and callers together never the last."""
    given, size = settings(), database.pool().get_max_size()
    places = max(1, min(size - 1, int(size * CALLERS_SHARE)))
    brand = max(1, min(places, int(size * given.pool_share_brand)))
    bearer = max(1, min(brand, int(size * given.pool_share_bearer)))
    limits = Limits(places, brand, bearer, given.queue_bearer_max, given.queue_seconds_max)
    if given.database_share_bearer >= bearer:  # which no average exceeds
        return FairShare(limits)
    known, slow = max(1, bearer // 2), max(1, int(size * SLOW_SHARE))
    return FairShare(limits, Averages(given.database_share_brand, given.database_share_bearer, known, slow))


admission = PerDatabase(_of_pool)
"""To the pool of the database this process works on."""
