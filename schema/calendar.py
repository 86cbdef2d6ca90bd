"""When a program's trading days begin."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Annotated, Self

import strawberry
from strawberry import field

from domain.calendar import Calendar, TradingDay
from schema.engine.errors import BadUserInput

DAYS_SHOWN, DAYS_MAX = 7, 400  # so that a year and both its changes of the clocks are seen
SECOND = timedelta(seconds=1)
Days = Annotated[int, strawberry.argument(name="first", description=f"How many: 1 to {DAYS_MAX}.")]


@strawberry.type(description="When a trading day begins.")
class TradingDayStart:
    name: date = field(description="The day's name: the local date twelve hours after its begin.")
    begins_at: datetime = field(description="The instant it begins, in UTC.")
    begins_local: str = field(
        description="The same on the clocks of the program's zone, with their offset of that day."
    )
    hours: Decimal = field(description="How long it lasts: 24, or 23 or 25 where the clocks change.")

    @classmethod
    def of(cls, day: TradingDay) -> Self:
        """The day as it is shown."""
        hours = Decimal(day.length // SECOND) / 3600
        return cls(
            name=day.name, begins_at=day.begins.astimezone(UTC), begins_local=day.begins.isoformat(), hours=hours
        )


def trading_days(zone: str, day_start: time, after: datetime, many: int) -> list[TradingDayStart]:
    """The next days of these clocks. Raises BadUserInput."""
    if not 1 <= many <= DAYS_MAX:
        raise BadUserInput(f"first must be between 1 and {DAYS_MAX}; found {many}.")
    return [TradingDayStart.of(day) for day in islice(Calendar(zone, day_start).days_after(after), many)]
