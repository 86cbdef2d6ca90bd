"""The market's clock, for whoever shows what is still to come."""

from datetime import datetime

from services.quote_cache import market_time, quote_cache
from services.unit_of_work.reads import read_connection


async def market_clock() -> datetime:
    """The market's time; before the first quotes of a replay, which has none yet, the database's."""
    async with read_connection() as conn:
        now = await quote_cache().extend(conn)
    return now.real_time if now.market_time is None else market_time(now)
