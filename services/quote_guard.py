"""Quote guards at work: suspect quotes are stored, counted, reported as events, and dropped after a time."""

from collections import Counter
from collections.abc import Sequence

from config.settings import settings
from domain.ledger import Facts
from domain.quote_guard import GuardOutcome, Note, QuoteFinding
from domain.quotes import Dropped, Quote
from models import quotes, suspects
from models.events import DESK, NewEvent
from models.suspects import StoredSuspect
from services.telemetry import SUSPECT_QUOTES
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.unit import UnitOfWork

__all__ = ["StoredSuspect", "count_findings", "dropped_quotes", "emit_findings", "expire_suspects"]

EVENT = "prop.feed.suspect"


def emit_findings(work: UnitOfWork, notes: Sequence[Note]) -> None:
    """Write one event per symbol, outcome and finding, with the newest of its quotes."""
    news: dict[tuple[str, GuardOutcome, QuoteFinding], list[Note]] = {}
    for note in notes:
        if note.is_news:
            news.setdefault((note.quote.symbol, note.outcome, note.finding), []).append(note)
    for some in news.values():
        last = some[-1]
        at = last.quote.source_time if work.mode == "REPLAY" else work.clocks.real_time
        work.new_events.append(NewEvent(DESK, 0, EVENT, _facts(last, len(some)), at))


def _facts(note: Note, count: int) -> Facts:
    return {
        "symbol": note.quote.symbol,
        "outcome": note.outcome.value,
        "finding": note.finding.value,
        "count": count,
        "source": note.source,
        "quote": note.quote.facts,
        "last": None if note.last is None else note.last.facts,
    }


def dropped_quotes(notes: Sequence[Note]) -> Counter[tuple[str, Dropped]]:
    """Return the suspect quotes that were dropped, as the counters name them."""
    return Counter((note.quote.symbol, Dropped.SUSPECT) for note in notes if note.outcome is GuardOutcome.DROPPED)


def count_findings(notes: Sequence[Note]) -> None:
    """Count the findings in this process's metrics, after the commit."""
    for note in notes:
        SUSPECT_QUOTES.labels(note.outcome.lower(), note.finding.lower()).inc()


async def expire_suspects() -> int:
    """Drop suspect quotes that were not confirmed in time; return how many. In a replay the next quotes do it."""
    async with read_connection() as conn:
        if not await suspects.has_due_suspects(conn):
            return 0
    async with transaction() as work:
        if work.mode == "REPLAY":
            return 0
        await quotes.lock_ingest(work.conn)
        await work.refresh_market()
        notes = [_expired(work, one) for one in await suspects.delete_due_suspects(work.conn)]
        await quotes.count_dropped(work.conn, dropped_quotes(notes), work.clocks.real_time, settings().dropped_rows_max)
        emit_findings(work, notes)
    count_findings(notes)
    return len(notes)


def _expired(work: UnitOfWork, held: StoredSuspect) -> Note:
    quote = Quote(held.symbol, held.bid, held.ask, held.source_time)
    return Note(GuardOutcome.DROPPED, held.finding, quote, held.source, work.market.get(held.symbol), is_news=True)
