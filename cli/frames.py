"""The demo's quotes: every full hour of a recording, or of a seeded random walk with a weekend in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from cli import generator, quotefile
from cli.bots import Frame, a_frame
from cli.quotefile import QuoteRow
from config.errors import Problem

EVERY = timedelta(hours=1)
RECENT = timedelta(minutes=1)  # before the full hour: of each symbol the newest quote of that minute is played
FRAMES_MAX = 300
MADE_UP_FROM = datetime(2026, 10, 1, tzinfo=UTC)  # a Thursday
MADE_UP_SYMBOLS = ("EURUSD", "NZDUSD", "XAUUSD")
SEED = 7
_MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


def recorded(path: Path) -> list[Frame]:
    """Frames of a quotes file. Raises Problem where the file cannot be read or is too short to play on."""
    batches = ((batch.time, batch.rows) for batch in quotefile.batches(path))
    return _first_hours(batches, str(path))


def made_up(seed: int = SEED) -> list[Frame]:
    """Frames of the random walk; closed from Friday to Sunday evening, like the market it imitates."""
    rounds = (
        (
            rows[0].time,
            tuple(QuoteRow(row.time, row.symbol, str(row.bid), str(row.ask)) for row in rows),
        )
        for rows in generator.walk(seed, MADE_UP_SYMBOLS, MADE_UP_FROM, timedelta(minutes=1))
    )
    return _first_hours((one for one in rounds if not _is_weekend(one[0])), "the random walk")


def _is_weekend(moment: datetime) -> bool:
    day, hour = moment.weekday(), moment.hour
    return (day == 4 and hour >= 21) or day == 5 or (day == 6 and hour < 21)


def _first_hours(batches: Iterator[tuple[datetime, tuple[QuoteRow, ...]]], source: str) -> list[Frame]:
    frames = list(islice(_hours(batches), FRAMES_MAX))
    if len(frames) < 2:
        raise Problem(f"{source} holds fewer than two hours of quotes; the demo plays over several days")
    return frames


def _hours(batches: Iterator[tuple[datetime, tuple[QuoteRow, ...]]]) -> Iterator[Frame]:
    """A frame at each full hour that has quotes in the minute before it."""
    due: datetime | None = None
    recent: dict[str, QuoteRow] = {}
    for time, rows in batches:
        if due is None or time > due:
            if recent:
                yield _frame(recent)
            due, recent = time + (_MIDNIGHT - time) % EVERY, {}
        if due - time < RECENT:
            recent |= {row.symbol: row for row in rows}
    if recent:
        yield _frame(recent)


def _frame(recent: dict[str, QuoteRow]) -> Frame:
    rows = sorted(recent.values(), key=lambda row: row.time)
    return a_frame(rows[-1].time, rows)
