"""A table read through before anything is handed in: it is understood, and usable to its last row, or it is refused."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cli.quotefile import bars
from cli.quotefile.plans import Plan
from cli.quotefile.reading import Reading
from cli.quotefile.rows import BadRow, QuoteRow
from config.errors import Problem

SYMBOLS_SHOWN = 8


@dataclass(slots=True)
class Summary:
    """The content of a table: rows, time span and symbols."""

    plan: Plan
    rows: int = 0
    skipped: int = 0  # rows without a price, or with one side only
    quotes: int = 0
    first: datetime | None = None
    last: datetime | None = None
    symbols: dict[str, str] = field(default_factory=dict)  # as the file writes them, and as they are handed in
    crossed: int = 0
    apart: int = 0  # quotes whose ask is more than twice their bid

    def text(self) -> str:
        """The table in a few lines: what it was taken for, and what it holds."""
        plan = self.plan
        assert self.first, "it holds quotes"
        assert self.last, "it holds quotes"
        period = f", bars of {_length(plan.period)}" if plan.period else ""
        skipped = f" ({self.skipped:,} without a price, left out)" if self.skipped else ""
        lines = [
            f"{plan.source}: {plan.layout.name}{period}, {self.rows:,} rows{skipped}",
            f"  symbol {_shown(self.symbols)} ({plan.symbol_from}), spread: {plan.spread_text}",
            f"  zone {plan.zone}, {plan.clock.name}",
            f"  from {self.first:%Y-%m-%d %H:%M:%S.%f} to {self.last:%Y-%m-%d %H:%M:%S.%f} UTC",
        ]
        return "\n".join([*lines, f"  {bars.ORDER}"] if plan.has_bars else lines)


def scan(plan: Plan) -> Summary:
    """Read the table to its end. Raises Problem naming the first row that cannot be used."""
    summary, reading = Summary(plan), Reading(plan)
    try:
        for _, quote in reading.quotes():
            if summary.first is None:
                summary.first = quote.time
            summary.last = quote.time
            summary.quotes += 1
            _look(summary, quote)
    except BadRow as bad:
        raise Problem(f"{plan.source}, {bad}; no quotes were handed in") from None
    summary.rows, summary.skipped, summary.symbols = reading.rows, reading.skipped, reading.symbols
    if not summary.quotes:
        raise Problem(
            f"{plan.source} holds no quotes: {summary.rows:,} rows, {summary.skipped:,} of them without a price"
        )
    _refuse_mixed_up(summary, reading.twisted)
    return summary


def _look(summary: Summary, quote: QuoteRow) -> None:
    bid, ask = float(quote.bid), float(quote.ask)
    if bid > ask:
        summary.crossed += 1
    elif ask > 2 * bid > 0:
        summary.apart += 1


def _refuse_mixed_up(summary: Summary, twisted: int) -> None:
    for count, total, reason in (
        (summary.crossed, summary.quotes, "the bid is above the ask in {} of {} quotes"),
        (summary.apart, summary.quotes, "the ask is more than twice the bid in {} of {} quotes"),
        (twisted, summary.rows, "the high is not the highest price, or the low not the lowest, in {} of {} bars"),
    ):
        if count * 2 > total:
            raise Problem(
                f"{summary.plan.source}: {reason.format(f'{count:,}', f'{total:,}')}, so the columns are mixed up; "
                f"it was read as {summary.plan.layout.name}, --layout names another"
            )


def _shown(symbols: dict[str, str]) -> str:
    texts = [name if name == symbol else f"{symbol} (from {name})" for name, symbol in symbols.items()]
    more = len(texts) - SYMBOLS_SHOWN
    return ", ".join(texts[:SYMBOLS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _length(period: timedelta) -> str:
    seconds = period.total_seconds()
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return f"{seconds:g} seconds"
