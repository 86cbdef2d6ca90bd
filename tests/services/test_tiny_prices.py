"""Prices of twelve places in the database's path: quoted, filled at an exact mid, marked, verified."""

from datetime import timedelta
from decimal import Decimal

from domain.instruments import Instrument
from domain.quotes import Quote
from services import instruments, quotes, snapshots
from tests.services.world import ADMIN, EVALUATION, a_world, act, books_hold, settle, value

BID = Decimal("0.000123456789")
TICK = Decimal("0.000000000001")


async def test_a_coin_of_twelve_places_is_quoted_traded_and_marked_exactly(database: str) -> None:
    world = await a_world(database, steps=(EVALUATION,))
    await instruments.save_instrument(ADMIN, Instrument("PEPUSD", "ETH", "USD", 12, Decimal(1), Decimal(1)))
    _, account = await world.buy()

    async def quote(bid: Decimal) -> None:
        world.at += timedelta(seconds=1)
        taken = await quotes.ingest([
            Quote("PEPUSD", bid + TICK / 10, bid + 2 * TICK, world.at), Quote("PEPUSD", bid, bid + TICK, world.at),
        ])  # fmt: skip
        assert (taken.accepted, taken.dropped) == (1, [("PEPUSD", "TOO_PRECISE", 1)])
        await settle()

    await quote(BID)
    opened = await act(account, "OPEN", action_id="a1", symbol="PEPUSD", quantity="800000000", stop_loss="0.000122")
    assert opened.fill
    assert opened.fill.price == BID + TICK / 2
    assert await value("select price from fills") == opened.fill.price
    assert await value("select price from orders where type = 'STOP_LOSS'") == Decimal("0.000122")
    for ticks in (1, 2, 3):
        await quote(BID + 1000 * ticks * TICK)
        now = (await snapshots.account_snapshots([account]))[account]
        assert now.account.unrealised == ticks * 1000 * TICK * 800_000_000
    await books_hold()
    await quote(Decimal("0.000121999999"))
    assert await value("select price from fills order by seq desc limit 1") == Decimal("0.0001219999995")
    assert await value("select ask from latest_quotes where symbol = 'PEPUSD'") == Decimal("0.000122")
    await books_hold()
