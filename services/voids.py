"""Voiding quotes, and finding the challenges that failed because of them."""

from datetime import UTC, datetime, timedelta

from domain.errors import InvalidInput, NotFound
from domain.instruments import Catalogue
from domain.voids import Span, holdings_moved_by
from models import voids
from models.sql import Connection
from models.views.list_query import Filters
from services.challenges import checked_reason
from services.principals import Principal, Role
from services.quote_cache import quote_cache
from services.quotes import FUTURE_SECONDS_MAX
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection

AHEAD_MAX = timedelta(seconds=FUTURE_SECONDS_MAX)  # of the newest quote's source
NEVER = 2**62  # beyond every batch
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


async def void_quotes(
    principal: Principal, symbol: str, source_from: datetime, source_before: datetime, reason: str
) -> int:
    """Void the quotes of a symbol with source times in the span; return the void's id.

    Marks, trades and verdicts that used them stay. The same span returns the same void. Raises Forbidden, NotFound
    without such an instrument, and InvalidInput for a span that has not passed or has no quote.
    """
    principal.require(Role.ADMIN)
    checked_reason(reason)
    span = Span(symbol, source_from, source_before)
    async with transaction() as work:
        if symbol not in work.catalogue.instruments:
            raise NotFound("symbol", symbol=symbol)
        _check(span, work.now)
        if (existing := await voids.find_void(work.conn, span)) is not None:
            return existing
        reach = await voids.void_reach(work.conn, span)
        if reach is None:
            raise InvalidInput("sourceFrom", reason=f"no quote of {symbol} that is kept has a source time in the span")
        void_id = await voids.insert_void(work.conn, span, reach, reason, principal.actor)
        if void_id is None:
            existing = await voids.find_void(work.conn, span)
            assert existing is not None, "a void stays"
            return existing
        work.audit(
            principal,
            "voidQuotes",
            object_kind="quoteVoid",
            object_id=void_id,
            reason=reason,
            after={
                "symbol": symbol,
                "source_from": source_from.isoformat(),
                "source_before": source_before.isoformat(),
                "quotes": reach.quotes,
                "first_batch": reach.first_batch,
                "last_batch": reach.last_batch,
            },
        )
    return void_id


def _check(span: Span, now: datetime) -> None:
    if span.source_from >= span.source_before:
        raise InvalidInput("sourceBefore", reason="must be later than sourceFrom")
    if span.source_before > now + AHEAD_MAX:
        raise InvalidInput("sourceBefore", reason="must not lie in the future", now=now.isoformat())


async def hits(span: Span) -> Filters:
    """Return the filter of challenges that failed at or after void quotes of the span that moved their account.

    Such an account had a position whose value the quote moves, at a time when the quote was the symbol's newest.
    """
    async with read_connection() as conn:
        await quote_cache().extend(conn)
        return await hits_in(conn, span, quote_cache().catalogue)


async def hits_in(conn: Connection, span: Span, catalogue: Catalogue) -> Filters:
    """Return the same filter on a connection of the caller's."""
    reach = await voids.void_reach(conn, span)
    if reach is None:
        return (("hit", ([], [], NEVER, END_OF_TIME, END_OF_TIME)),)
    moved = holdings_moved_by(span.symbol, catalogue)
    symbols, currencies = [one for one, _ in moved], [currency for _, currency in moved]
    until = reach.until or END_OF_TIME
    return (("hit", (symbols, currencies, reach.first_batch, reach.first_at, until)),)
