"""A funded phase that has made a profit, and where its money is."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services import events
from tests.services.world import FUNDED, WIDE, World, a_world, act, rows

FREE = WIDE | {"fee_bps": Decimal(0)}
OPEN_ENDED = replace(FUNDED, phase_index=1, duration_days=0)
DAY = timedelta(days=1)
FIGURES = """cash, day_start_balance, day_start_equity, day_low, day_high, peak_equity, peak_balance, peak_end_of_day,
  high_watermark"""


async def a_winner(database: str, **changes: Any) -> tuple[World, int, int]:
    """A funded phase with a profit of 10,000, flat."""
    world = await a_world(database, steps=[replace(OPEN_ENDED, **changes)], policy=FREE)
    challenge, account = await world.buy()
    await wins(world, account)
    return world, challenge, account


async def wins(world: World, account: int, action: str = "w", *, start: str = "1.1", end: str = "1.11") -> None:
    """A million bought and sold: a cent of the price is 10,000."""
    await world.quote(start)
    await act(account, "OPEN", action_id=f"{action}1", quantity="1000000")
    await world.quote(end)
    await act(account, "CLOSE", action_id=f"{action}2")


async def figures(account: int) -> dict[str, Decimal]:
    (found,) = await rows(f"select {FIGURES} from balances where account_id = $1", account)
    return found


async def houses() -> dict[str, Decimal]:
    return {row["purpose"]: row["balance"] for row in await rows("select purpose, balance from house_accounts")}


async def told(challenge: int) -> list[str]:
    """The challenge's payout events, in order."""
    await events.stamp()
    found = await rows("select name from events where challenge_id = $1 order by number", challenge)
    return [row["name"].removeprefix("prop.payout.") for row in found if row["name"].startswith("prop.payout.")]
