"""Admission: fair shares of the connection pool. A bearer and a brand may hold a limited number; the rest wait in turn.

Waiting bearers are served round-robin: brand after brand, within a brand bearer after bearer, and each bearer's
requests in order. So a bearer with a thousand requests waits for itself and delays another bearer by one place at most.

While others wait, a bearer may hold half as many places. A bearer that on average held more than its share counts as
slow: it may hold one place, from the few that all slow bearers share. A bearer without a known statement holds one
place until that came back quickly.
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

CALLERS_SHARE = 0.8  # of the pool; the rest is for shared work: events, ticks, group commits
SLOW_SHARE = 0.2  # of the pool, for all slow bearers
SLOW_BRAND = 1  # places that all slow bearers of a brand may hold
OVER_BRAND = 2  # places of a brand over its share, so that its slow bearers leave one to the others
QUICK_SECONDS = 0.1  # of a first place that is quick: its bearer may then hold several
RETRY_SECONDS_MIN = 1.0
KEEP_SECONDS = 60.0  # for which an idle bearer and its use are remembered
KEEP_MAX = 10_000  # bearers

_Granted = asyncio.Future[None]


class Bearer(Protocol):
    """A caller as admission sees it: a bearer and its brand."""

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
    """One bearer's places: how many it holds, and which requests of it wait."""

    key: Hashable
    brand: _Brand
    use: ConnectionUse
    waiting: OrderedDict[_Granted, float] = field(default_factory=OrderedDict)  # since when, in the order they came
    since: float = 0.0  # when it got its newest place, while it holds one
    is_known: bool = False  # a place came back quickly since it was slow
    is_slow: bool = False  # over its share while others wait
    holds_slow: bool = False  # its place is one of those for slow bearers
    runs_low: bool = False  # others wait, and it is slow or unknown: its reads run at low priority


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of places: in all, per brand, per bearer; of waiting requests per bearer; and of waiting time.

    Without the last two, everybody waits for its turn.
    """

    places: int
    brand: int
    bearer: int
    waiting: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Averages:
    """Limits of average use while others wait: places per brand and per bearer, places at once of a bearer whose
    statements are known to be quick, and places of all slow bearers.
    """

    brand: float
    bearer: float
    known: int
    slow: int


class _Row:
    """A two-level round-robin queue of waiting bearers: brand after brand, in each brand bearer after bearer."""

    def __init__(self) -> None:
        self._of: OrderedDict[_Brand, OrderedDict[Share, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, share: Share) -> None:
        """Append the bearer to its brand's queue, if it is not in it."""
        self._of.setdefault(share.brand, OrderedDict()).setdefault(share)

    def remove(self, share: Share) -> None:
        """Remove the bearer, if it is in the queue."""
        shares = self._of.get(share.brand)
        if shares is not None and share in shares:
            del shares[share]
            if not shares:
                del self._of[share.brand]

    def pass_over(self, brand: _Brand) -> None:
        """Move the brand behind all other brands."""
        if brand in self._of:
            self._of.move_to_end(brand)

    def pop(self, brands: Callable[[_Brand], bool], bearers: Callable[[Share], bool]) -> Share | None:
        """Remove and return the first bearer that may have a place, and move its brand to the end.

        A bearer that may not have one holds places, so at most as many are skipped as there are places.
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
    """The places and the requests that wait for one. Used from one event loop.

    A request never waits while there is a free place that it may have.
    """

    def __init__(self, limits: Limits, averages: Averages | None = None) -> None:
        """Without `averages` no bearer counts as slow."""
        self.limits = limits
        self.averages = averages
        self._free = limits.places
        self._slow_free = averages.slow if averages else 0
        self._shares: dict[Hashable, Share] = {}
        self._brands: dict[Hashable, _Brand] = {}
        self._row, self._slow_row = _Row(), _Row()
        self._idle: OrderedDict[Share, float] = OrderedDict()  # idle bearers, and since when
        self._bearers, self._of_brands = RecentBearers(), RecentBearers()

    def check_room(self, party: Bearer) -> None:
        """Raise Busy if too many requests of the bearer wait already: then no part of a document needs to begin."""
        share = self._shares.get(party.bearer)
        if share is not None and self.limits.waiting is not None and len(share.waiting) >= self.limits.waiting:
            raise self._busy(share, "queue", asyncio.get_running_loop().time())

    def note_work_for_many(self) -> None:
        """Record a request of shared work, which takes no place."""
        now = monotonic()
        self._bearers.note(None, now)
        self._of_brands.note(None, now)

    def take(self, party: Bearer, *, writes: bool = False) -> Share | None:
        """Return a place, or None if the caller has to wait.

        A request that `writes` may hold locks that others wait for, so it does not wait because its bearer is slow.
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
        """Wait for the caller's turn and return its place.

        Raises Busy if too many requests of the bearer wait, or the turn does not come in time; a `patient` caller waits
        on.
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
        """Return a place and serve the next in turn. A place that was `unused` or cut off does not count in the
        bearer's average.
        """
        now = monotonic()
        share.is_known = share.is_known or (not unused and now - share.since < QUICK_SECONDS)
        self._free += 1
        share.use.change(-1, now)
        share.brand.use.change(-1, now)
        if share.holds_slow and not share.use.places:
            self._hold_slow(share, -1)
        if share.waiting:
            self._row.remove(share)  # it has just been served
            self._slow_row.remove(share)
            self._enlist(share, now)
        self._row.pass_over(share.brand)
        self._slow_row.pass_over(share.brand)
        while self._free and (next_one := self._next(now)):
            self._serve(next_one, now)
        self._forget(share, now)

    def _next(self, now: float) -> Share | None:
        """Remove and return the next bearer that may have a place; slow bearers come last."""
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
        """Give the bearer a place; if more of its requests wait, it queues again."""
        while share.waiting:
            granted, _ = share.waiting.popitem(last=False)
            if not granted.done():  # else it is cancelled, and its task has not run since
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
        """Return whether the bearer may have one more place now, if one is free."""
        brand = share.brand
        if share.use.places >= self._most(share, now) or brand.use.places >= self._most_of_brand(brand, now):
            return False
        return not share.is_slow or (self._slow_free > 0 and brand.slow < SLOW_BRAND)

    def _most(self, share: Share, now: float) -> int:
        """Return how many places the bearer may hold now, after updating whether it is slow."""
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
        """Return how many places the brand may hold now, after updating whether it is over its share."""
        if self.averages is None or not self._of_brands.asks_beside(brand.key, now):
            brand.is_over = False
            return self.limits.brand
        is_over = brand.use.average(now) > self.averages.brand
        if is_over and not brand.is_over:
            SLOWED.labels("brand").inc()
        brand.is_over = is_over
        return min(OVER_BRAND, self.limits.brand) if is_over else self.limits.brand

    def _enlist(self, share: Share, now: float) -> None:
        """Put the bearer into its queue, if requests of it wait."""
        self._most(share, now)
        row, other = (self._slow_row, self._row) if share.is_slow else (self._row, self._slow_row)
        other.remove(share)
        if share.waiting:
            row.add(share)
        else:
            row.remove(share)

    def _leave(self, share: Share, granted: _Granted) -> None:
        """Remove the request from the waiting ones."""
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
        """Remember the use of a bearer that neither holds a place nor waits, for a while."""
        if share.use.places or share.waiting or self._shares.get(share.key) is not share:
            return
        self._idle.pop(share, None)
        self._idle[share] = now
        self.forget(now)

    def forget(self, now: float) -> None:
        """Forget bearers that have been idle for KEEP_SECONDS, and the oldest beyond KEEP_MAX."""
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
        """Return the refusal; its retry time is how long the bearer's oldest request has waited."""
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
    """Return the limits for a pool of this size. In a small pool each bearer gets one connection, and callers never get
    the last.
    """
    given, size = settings(), database.pool().get_max_size()
    places = max(1, min(size - 1, int(size * CALLERS_SHARE)))
    brand = max(1, min(places, int(size * given.pool_share_brand)))
    bearer = max(1, min(brand, int(size * given.pool_share_bearer)))
    limits = Limits(places, brand, bearer, given.queue_bearer_max, given.queue_seconds_max)
    if given.database_share_bearer >= bearer:  # a limit that no average exceeds
        return FairShare(limits)
    known, slow = max(1, bearer // 2), max(1, int(size * SLOW_SHARE))
    return FairShare(limits, Averages(given.database_share_brand, given.database_share_bearer, known, slow))


admission = PerDatabase(_of_pool)
"""Admission to the pool of the open database."""
