"""Start times of a program's trading days."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Annotated, Self

import strawberry
from strawberry import field

from domain.calendar import Calendar, CalendarDay
from schema.engine.errors import BadUserInput

DayDate = date  # alias for types that have a field `date`
DAYS_SHOWN, DAYS_MAX = 7, 400  # a year with both clock changes fits into 400 days
SECOND = timedelta(seconds=1)
Days = Annotated[
    int, strawberry.argument(name="first", description=f"Number of trading days to return: 1 to {DAYS_MAX}.")
]


@strawberry.type(description="Start of a trading day.")
class TradingDayStart:
    name: date = field(description="Date that names the trading day: the local date twelve hours after its start.")
    begins_at: datetime = field(description="Start in UTC.")
    begins_local: str = field(description="Start in the program's time zone, with the UTC offset of that day.")
    hours: Decimal = field(description="Length in hours: 24, or 23 or 25 when the clocks change.")

    @classmethod
    def of(cls, day: CalendarDay) -> Self:
        """Return the API's form of this trading day."""
        hours = Decimal(day.length // SECOND) / 3600
        return cls(
            name=day.name, begins_at=day.begins.astimezone(UTC), begins_local=day.begins.isoformat(), hours=hours
        )


def trading_days(zone: str, day_start: time, after: datetime, many: int) -> list[TradingDayStart]:
    """Return the trading days that follow `after`. Raise BadUserInput for a number out of range."""
    if not 1 <= many <= DAYS_MAX:
        raise BadUserInput(f"first must be between 1 and {DAYS_MAX}; found {many}.")
    return [TradingDayStart.of(day) for day in islice(Calendar(zone, day_start).days_after(after), many)]
