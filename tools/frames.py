"""The demo's quotes: every full hour of a recording, or of seeded random walks with a weekend in them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from cli import generator, quotefile
from cli.quotefile import QuoteRow
from config.errors import Problem
from tools.bots import Frame, a_frame

EVERY = timedelta(hours=1)
RECENT = timedelta(minutes=1)  # before the full hour: of each symbol the newest quote of that minute is played
FRAMES_MAX = 300
MADE_UP_FROM = datetime(2026, 10, 1, tzinfo=UTC)  # a Thursday
MADE_UP_SYMBOLS = ("EURUSD", "NZDUSD", "XAUUSD")
MADE_UP_COIN = "BTCUSD"  # quoted at weekends too, then every so many hours
WEEKEND_HOURS = 6
SEED = 7
_MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


def recorded(path: Path) -> list[Frame]:
    """Frames of a quotes file. Raises Problem where the file cannot be read or is too short to play on."""
    batches = ((batch.time, batch.rows) for batch in quotefile.batches(path))
    return _first_hours(batches, str(path))


def made_up(seed: int = SEED) -> list[Frame]:
    """Frames of random walks; from Friday to Sunday evening the coin alone is quoted, like the markets they imitate."""
    return _first_hours(_made_up_rounds(seed), "the random walk")


def _made_up_rounds(seed: int) -> Iterator[tuple[datetime, tuple[QuoteRow, ...]]]:
    """Rounds of quotes a minute apart, at weekends some hours."""
    step = timedelta(minutes=1)
    walks = (generator.walk(seed, symbols, MADE_UP_FROM, step) for symbols in (MADE_UP_SYMBOLS, (MADE_UP_COIN,)))
    for currencies, coin in zip(*walks, strict=True):
        moment = coin[0].time
        if _is_weekend(moment):
            rows = coin if moment.hour % WEEKEND_HOURS == 0 and moment.minute == 0 else []
        else:
            rows = currencies + coin
        if rows:
            yield moment, tuple(QuoteRow(row.time, row.symbol, str(row.bid), str(row.ask)) for row in rows)


def _is_weekend(moment: datetime) -> bool:
    day, hour = moment.weekday(), moment.hour
    return (day == 4 and hour >= 21) or day == 5 or (day == 6 and hour < 21)


def _first_hours(batches: Iterator[tuple[datetime, tuple[QuoteRow, ...]]], source: str) -> list[Frame]:
    frames = list(islice(_hours(batches), FRAMES_MAX))
    if len(frames) < 2:
        raise Problem(f"{source} holds fewer than two hours of quotes; the demo plays over several days")
    return frames


def _hours(batches: Iterator[tuple[datetime, tuple[QuoteRow, ...]]]) -> Iterator[Frame]:
    """Yield a frame at each full hour that has quotes in the minute before it."""
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
