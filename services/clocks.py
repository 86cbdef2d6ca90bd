"""The market clock for lists of what is still to come."""

from datetime import datetime

from services.quote_cache import market_time, quote_cache
from services.unit_of_work.reads import read_connection


async def market_clock() -> datetime:
    """Return the market time; before the first quotes of a replay, the database's time."""
    async with read_connection() as conn:
        now = await quote_cache().extend(conn)
    return now.real_time if now.market_time is None else market_time(now)
