"""Ingestion of quotes: checked, numbered in commit order, appended, and announced to the markers."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from config import wakeups
from config.settings import settings
from domain.bounds import Bearing, Checked, Largest
from domain.errors import InvalidInput, TooManyBatches
from domain.frozen import replace
from domain.instruments import Catalogue
from domain.quote_guard import GuardOutcome, Guards, Note, QuoteFinding
from domain.quotes import Batch, Dropped, Quote, Screening, divide_into_batches, screen
from models import name_locks, quotes, suspects
from services import quote_guard
from services.per_database import PerDatabase
from services.principals import Principal
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork

QUOTES_MAX = 5_000  # of a request: checking them takes about 20 ms of the event loop
SYMBOL_MAX = 32
FEW_BATCHES = 10  # of one request while the markers are far behind
FUTURE_SECONDS_MAX = 5  # how far a source's clock may run ahead of the database's


_checked: PerDatabase[dict[str, Checked]] = PerDatabase(dict)
"""By symbol, the prices at which every open position is known to fit its limits."""


@dataclass(frozen=True, slots=True)
class Ingested:
    batches: list[int]
    newest_batch: int | None
    accepted: int
    dropped: list[tuple[str, str, int]]  # symbol, reason, count
    rounded: int = 0  # accepted quotes whose floating-point noise was rounded away
    suspect: list[tuple[str, QuoteFinding, bool, int]] = field(
        default_factory=list
    )  # symbol, finding, held back, count


async def ingest(
    offered: Sequence[Quote], principal: Principal | None = None, unreadable: Sequence[tuple[str, Dropped]] = ()
) -> Ingested:
    """Accept the valid quotes, in as few batches as keep every price visible; count the others by symbol and reason.

    `unreadable` has symbol and reason of inputs that are no quotes. Raises InvalidInput for more than QUOTES_MAX in
    all, TooManyBatches for more batches than a request may make.
    """
    size = len(offered) + len(unreadable)
    if size > QUOTES_MAX:
        raise InvalidInput("quotes", size_max=QUOTES_MAX, size=size)
    async with transaction() as work:
        await quotes.lock_ingest(work.conn)
        await work.refresh_market()  # the lock may have been waited for
        screened = await _screen(work, offered, principal)
        taken, _, dropped, rounded = screened.quotes
        await asyncio.sleep(0)  # checking many quotes takes milliseconds
        parts = divide_into_batches(taken, by_time=work.mode == "REPLAY")
        await _require_few(work, len(parts))
        new = _number(work, parts)
        await quotes.insert_batches(work.conn, new, screened.guards.watches)
        await suspects.write_suspects(work.conn, screened.guards.suspects)
        notes = screened.guards.notes
        quote_guard.emit_findings(work, notes)
        reasons = [(quote.symbol, reason) for quote, reason in dropped] + list(unreadable)
        counts = Counter((_countable(symbol), reason) for symbol, reason in reasons)
        given_up = counts + quote_guard.dropped_quotes(notes)
        await quotes.count_dropped(work.conn, given_up, work.clocks.real_time, settings().dropped_rows_max)
        if principal is not None:
            _note(work, principal, new, len(taken), len(reasons))
    _checked().update(screened.bearing.checked)
    quote_guard.count_findings(notes)
    if new:
        wake_markers()
    told = [(symbol, reason.value, many) for (symbol, reason), many in sorted(counts.items())]
    newest = new[-1].number if new else None
    suspect = [(*key, many) for key, many in sorted(Counter(_suspected(notes)).items())]
    return Ingested([batch.number for batch in new], newest, len(taken), told, rounded.total(), suspect)


class _Screened(NamedTuple):
    quotes: Screening
    guards: Guards
    bearing: Bearing


async def _screen(work: UnitOfWork, offered: Sequence[Quote], principal: Principal | None) -> _Screened:
    """Divide the quotes into batches; check the largest positions if a price is far from the checked ones."""
    listings, watches = await quotes.read_listings(work.conn)
    listed = [_listed(quote, work.catalogue) for quote in offered]
    latest = None if work.mode == "REPLAY" else work.clocks.real_time + timedelta(seconds=FUTURE_SECONDS_MAX)
    source = "" if principal is None else principal.name

    def screened(largest: Sequence[Largest] | None) -> _Screened:
        bearing = Bearing(_checked(), work.market, largest, work.catalogue)
        guards = Guards(work.catalogue, watches, source)
        return _Screened(screen(listed, listings, latest, lambda quote: guards.judge(quote, bearing)), guards, bearing)

    found = screened(None)
    if not found.bearing.is_checked:
        await name_locks.stop_trading(work.conn)  # an account opened from here on is not among the largest
        found = screened(await quotes.largest_positions(work.conn))
    return found


def _suspected(notes: Sequence[Note]) -> Iterator[tuple[str, QuoteFinding, bool]]:
    """Return the suspect quotes of this request: symbol, finding, and whether they are held back."""
    for note in notes:
        if note.outcome in (GuardOutcome.HELD, GuardOutcome.WARNED):
            yield note.quote.symbol, note.finding, note.outcome is GuardOutcome.HELD


async def _require_few(work: UnitOfWork, batches: int) -> None:
    """Raise TooManyBatches beyond a request's limit: FEW_BATCHES while many batches wait to be judged."""
    most = settings().batches_request_max
    if FEW_BATCHES < batches <= most and await quotes.unjudged_batches(work.conn) > most:
        most = FEW_BATCHES
    if batches > most:
        raise TooManyBatches("quotes", batches_max=most, batches=batches)


def _listed(quote: Quote, catalogue: Catalogue) -> Quote:
    """Return the quote under its instrument's symbol; a feed may use an alias."""
    symbol = catalogue.names.get(quote.symbol, quote.symbol)
    return quote if symbol == quote.symbol else replace(quote, symbol=symbol)


def _note(work: UnitOfWork, principal: Principal, new: Sequence[Batch], taken: int, dropped: int) -> None:
    """Audit quotes that an admin sent."""
    newest = new[-1].number if new else work.clocks.number
    work.audit(
        principal,
        "ingestQuotes",
        object_kind="batch",
        object_id=newest,
        before={"newest_batch": work.clocks.number},
        after={"newest_batch": newest, "accepted": taken, "dropped": dropped},
    )


def _countable(symbol: str) -> str:
    """Return a symbol as the counters name it: short, and text that PostgreSQL can store."""
    return symbol.encode(errors="replace").decode().replace("\0", "?")[:SYMBOL_MAX]


def _number(work: UnitOfWork, parts: Sequence[tuple[Quote, ...]]) -> list[Batch]:
    """Number the batches after the newest one. In a replay a batch has its quotes' time, never an earlier one."""
    number, last = work.clocks.number, work.clocks.market_time
    batches = []
    for part in parts:
        number += 1
        at = max(quote.source_time for quote in part) if work.mode == "REPLAY" else work.clocks.real_time
        last = at if last is None else max(at, last)
        batches.append(Batch(number, last, part))
    return batches


async def append_empty_batch(older_than: timedelta) -> bool:
    """Append an empty batch if the newest is older, so that days end and time limits are judged without quotes.

    Never in a replay, and not before the first quotes.
    """
    async with transaction() as work:
        if not _is_old(work, older_than):
            return False
        await quotes.lock_ingest(work.conn)
        await work.refresh_market()
        if not _is_old(work, older_than):
            return False
        at = max(work.clocks.real_time, work.now)
        await quotes.insert_batches(work.conn, [Batch(work.clocks.number + 1, at)])
    wake_markers()
    return True


def _is_old(work: UnitOfWork, older_than: timedelta) -> bool:
    last = work.clocks.market_time
    return work.mode != "REPLAY" and last is not None and work.clocks.real_time - last > older_than


def wake_markers() -> None:
    """Notify the workers that batches wait."""
    wakeups.request("evaluator")
