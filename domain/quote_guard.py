"""The quote guard of an instrument: which usable quotes are suspect, and what happens to a quote that is held back.

A quote is suspect where it moves too far from the last good one within a time, where its spread is too wide, or where
its price has stood still for too long. Everything is told from the source times of the quotes, so a replay finds the
same, however its quotes are handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.bounds import Bearing
from domain.frozen import fast_init, replace
from domain.instruments import Catalogue, Guard, GuardMode, InstrumentKind
from domain.money import TWO, add, multiply, subtract
from domain.quotes import Dropped, Quote


class QuoteFinding(StrEnum):
    """The reason why a quote is suspect."""

    MOVE = "MOVE"
    SPREAD = "SPREAD"
    FROZEN = "FROZEN"


class GuardOutcome(StrEnum):
    """The outcome for a suspect quote."""

    WARNED = "WARNED"  # accepted: the guard only warns
    HELD = "HELD"  # kept apart until another quote decides
    CONFIRMED = "CONFIRMED"  # another quote said the same, and was accepted
    DROPPED = "DROPPED"  # no other quote said the same


@dataclass(frozen=True, slots=True)
class Suspect:
    """The one quote of a symbol that is held back; `source` is the token that sent it."""

    quote: Quote
    source: str
    finding: QuoteFinding


@fast_init
@dataclass(frozen=True)
class Watch:
    """The guard's state of one symbol."""

    last: Quote | None = None  # the newest accepted quote
    unchanged_since: datetime | None = None  # source time from which its bid and ask are the same
    finding: QuoteFinding | None = None  # in the newest accepted quote: it was confirmed, or only warned of
    suspect: Suspect | None = None


class Note(NamedTuple):
    """A note to count; `is_news` if it begins or ends a state, so that an event is due."""

    outcome: GuardOutcome
    finding: QuoteFinding
    quote: Quote
    source: str  # of the quote
    last: Quote | None  # the newest accepted quote before it
    is_news: bool


class GuardStep(NamedTuple):
    """A symbol after one quote: whether the quote is accepted, and what is to be noted."""

    watch: Watch
    accepted: bool
    notes: tuple[Note, ...] = ()


DEFAULTS = {
    InstrumentKind.FOREX: Guard(GuardMode.WARN, Decimal(5), 60, Decimal(2), 900),
    InstrumentKind.METAL: Guard(GuardMode.WARN, Decimal(8), 60, Decimal(2), 900),
    InstrumentKind.CRYPTO: Guard(GuardMode.WARN, Decimal(20), 60, Decimal(5), 900),
    InstrumentKind.INDEX: Guard(GuardMode.WARN, Decimal(10), 60, Decimal(3), 3600),
    InstrumentKind.COMMODITY: Guard(GuardMode.WARN, Decimal(15), 60, Decimal(5), 3600),
    InstrumentKind.STOCK: Guard(GuardMode.WARN, Decimal(25), 60, Decimal(10), 0),
    InstrumentKind.OTHER: Guard(GuardMode.WARN, Decimal(25), 60, Decimal(10), 0),
}
"""The guard of a new instrument, by its kind; shares stand still for hours."""


def step(watch: Watch, guard: Guard, quote: Quote, source: str) -> GuardStep:
    """Judge a quote that is usable otherwise and not older than the last accepted one."""
    suspect = watch.suspect
    if suspect is not None and quote.source_time - suspect.quote.source_time > life(suspect.finding, guard):
        after = step(replace(watch, suspect=None), guard, quote, source)
        return after._replace(notes=(*_dropped(watch), *after.notes))
    finding = None if guard.mode is GuardMode.OFF else finding_of(watch, guard, quote)
    if finding is None:
        return _accept(watch, guard, quote, None, _dropped(watch))
    if guard.mode is GuardMode.WARN:
        warned = Note(GuardOutcome.WARNED, finding, quote, source, watch.last, is_news=watch.finding is not finding)
        return _accept(watch, guard, quote, finding, (*_dropped(watch), warned))
    if finding is QuoteFinding.SPREAD and watch.finding is QuoteFinding.SPREAD:
        return _accept(watch, guard, quote, finding, _dropped(watch))  # a wide spread that has been confirmed lasts
    if suspect is None or suspect.finding is not finding:
        return _hold(watch, quote, source, finding, _dropped(watch), is_news=True)
    if _confirms(guard, quote, source, suspect):
        confirmed = Note(GuardOutcome.CONFIRMED, finding, quote, source, watch.last, is_news=True)
        return GuardStep(Watch(quote, quote.source_time, finding), accepted=True, notes=(confirmed,))
    if quote == suspect.quote and source == suspect.source:
        return GuardStep(watch, accepted=False)  # sent again
    return _hold(watch, quote, source, finding, _dropped(watch, is_news=False), is_news=False)


def is_ordinary(watch: Watch, guard: Guard, quote: Quote) -> bool:
    """Return whether no quote is held and the price moved within the guard, so that `step` has nothing to note.

    Of others it may be so as well: this is what most quotes need, in a third of the time.
    """
    last = watch.last
    if last is None or watch.suspect is not None:
        return False
    bid, ask = quote.bid, quote.ask
    if bid == last.bid and ask == last.ask:
        return False
    if guard.mode is GuardMode.OFF:
        return True
    low = high = add(bid, ask)  # twice the mids are as far apart, and twice the spread is as wide
    if guard.move_pct:
        before = add(last.bid, last.ask)
        if before < high:
            low = before
        else:
            high = before
        if subtract(high, low) > multiply(guard.move_share, low):
            return False
    return not guard.spread_pct or multiply(TWO, subtract(ask, bid)) <= multiply(guard.spread_share, add(bid, ask))


def finding_of(watch: Watch, guard: Guard, quote: Quote) -> QuoteFinding | None:
    """Return what is suspect in the quote; None where nothing is."""
    last = watch.last
    is_recent = last is not None and quote.source_time - last.source_time <= guard.window
    if last and guard.move_pct and is_recent and not is_near(quote, last, guard):
        return QuoteFinding.MOVE
    if guard.spread_pct and is_wide(quote, guard):
        return QuoteFinding.SPREAD
    if guard.frozen_seconds and _stands_still(watch, guard, quote):
        since, limit = watch.unchanged_since, timedelta(seconds=guard.frozen_seconds)
        return QuoteFinding.FROZEN if since and quote.source_time - since >= limit else None
    return None


def _stands_still(watch: Watch, guard: Guard, quote: Quote) -> bool:
    """Return whether the price stood still while quotes kept coming. A gap in the quotes ends a standstill."""
    last, suspect = watch.last, watch.suspect
    if last is None or (quote.bid, quote.ask) != (last.bid, last.ask):
        return False
    seen = suspect.quote if suspect is not None and suspect.finding is QuoteFinding.FROZEN else last
    return quote.source_time - seen.source_time <= timedelta(seconds=guard.frozen_seconds)


def life(finding: QuoteFinding, guard: Guard) -> timedelta:
    """Return how long a held quote waits for a second quote to confirm or refute it."""
    return (
        max(guard.window, timedelta(seconds=guard.frozen_seconds)) if finding is QuoteFinding.FROZEN else guard.window
    )


def is_near(quote: Quote, other: Quote, guard: Guard) -> bool:
    """Return whether the two mids differ by no more than the guard's share of the lower one."""
    low, high = quote.mid, other.mid
    if high < low:
        low, high = high, low
    return subtract(high, low) <= multiply(guard.move_share, low)


def is_wide(quote: Quote, guard: Guard) -> bool:
    """Return whether the spread is wider than the guard allows."""
    return subtract(quote.ask, quote.bid) > multiply(guard.spread_share, quote.mid)


def _confirms(guard: Guard, quote: Quote, source: str, suspect: Suspect) -> bool:
    """Return whether the quote confirms the held one: the same price at a new time, or from a second source.

    A price that stands still cannot confirm itself: that takes a second source.
    """
    if guard.move_pct and not is_near(quote, suspect.quote, guard):
        return False
    if source != suspect.source:
        return True
    return suspect.finding is not QuoteFinding.FROZEN and quote.source_time > suspect.quote.source_time


def _accept(
    watch: Watch, guard: Guard, quote: Quote, finding: QuoteFinding | None, notes: tuple[Note, ...]
) -> GuardStep:
    since = watch.unchanged_since if _stands_still(watch, guard, quote) else None
    return GuardStep(Watch(quote, since or quote.source_time, finding), accepted=True, notes=notes)


def _hold(
    watch: Watch, quote: Quote, source: str, finding: QuoteFinding, notes: tuple[Note, ...], *, is_news: bool
) -> GuardStep:
    held = Note(GuardOutcome.HELD, finding, quote, source, watch.last, is_news=is_news)
    return GuardStep(replace(watch, suspect=Suspect(quote, source, finding)), accepted=False, notes=(*notes, held))


def _dropped(watch: Watch, *, is_news: bool = True) -> tuple[Note, ...]:
    """Return the end of the held quote, if there is one: another came instead of a confirmation, or none did."""
    if (one := watch.suspect) is None:
        return ()
    return (Note(GuardOutcome.DROPPED, one.finding, one.quote, one.source, watch.last, is_news=is_news),)


class Guards:
    """The guards of all symbols over the quotes of one request, with the notes to write."""

    def __init__(self, catalogue: Catalogue, watches: Mapping[str, Watch], source: str) -> None:
        self._instruments, self._source = catalogue.instruments, source
        self._before = watches
        self.watches = dict(watches)
        self.notes: list[Note] = []

    def judge(self, quote: Quote, bearing: Bearing) -> Dropped | None:
        """Return why the quote is not accepted: SUSPECT if it is held, OUT_OF_RANGE beyond bounds."""
        symbol = quote.symbol
        watch, guard = self.watches[symbol], self._instruments[symbol].guard
        if is_ordinary(watch, guard, quote):
            if not bearing.bears(quote):
                return Dropped.OUT_OF_RANGE
            self.watches[symbol] = Watch(quote, quote.source_time)
            return None
        after = step(watch, guard, quote, self._source)
        if after.accepted and not bearing.bears(quote):
            return Dropped.OUT_OF_RANGE
        self.watches[symbol] = after.watch
        self.notes += after.notes
        return None if after.accepted else Dropped.SUSPECT

    @property
    def suspects(self) -> dict[str, Suspect | None]:
        """Return the held quote of each symbol for which it has changed."""
        symbols = {note.quote.symbol for note in self.notes}
        now = {symbol: self.watches[symbol].suspect for symbol in symbols}
        return {symbol: suspect for symbol, suspect in now.items() if suspect != self._before[symbol].suspect}
