"""The second migration on a database with data: it keeps every row, and the desk continues unchanged."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from config.database import connection, pool
from domain.instruments import Instrument
from services import instruments, purchases
from tests.services.world import ADMIN, CLIENT, a_world, act, books_hold, rows, value

HERE = Path(__file__).parents[2] / "migrations" / "models"
PHASES = """
select challenge_id, phase_index, phase_type, account_id, status, initial_balance, ended_at, end_reason
from challenge_phases order by challenge_id, phase_index
"""


async def _back_and_forth(url: str) -> None:
    """Downgrade the schema to the first edition and upgrade it again, as the owner of its tables."""
    async with connection(url) as owner:
        for name in ("1_20261130_second.down.sql", "1_20261130_second.sql"):
            async with owner.transaction():
                await owner.execute((HERE / name).read_text())
    await pool().expire_connections()  # their prepared statements are of the tables as they were


async def _phases() -> list[dict[str, Any]]:
    return await rows(PHASES)


async def test_sales_of_the_first_edition_get_a_row_for_each_phase_they_have_not_reached(database: str) -> None:
    world = await a_world(database, cash=3_000)
    _, failing = await world.buy("fails")
    await act(failing, "OPEN", action_id="f1", quantity="1000000")
    await world.quote("1.09000")
    advanced, passing = await world.buy("is in its second phase")
    await act(passing, "OPEN", action_id="p1", quantity="1000000")
    await world.quote("1.10100")
    await act(passing, "CLOSE", action_id="p2")
    await world.quote("1.10110")
    await world.buy("is in its first phase")
    await purchases.buy(CLIENT, world.program, world.wallet, "is just bought")
    before = await _phases()
    assert [(row["phase_index"], row["status"], row["account_id"] is None) for row in before] == [
        (1, 3, False), (2, 4, True),
        (1, 2, False), (2, 1, False),
        (1, 1, False), (2, 0, True),
        (1, 1, False), (2, 0, True),
    ]  # fmt: skip
    await _back_and_forth(database)
    assert await _phases() == before
    await books_hold()
    await world.quote("1.10120")
    assert await value("select current_phase_index from challenges where id = $1", advanced) == 2


async def test_replaced_stop_losses_of_the_first_edition_become_versions_of_one_order(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy("k1")
    for place, price in enumerate(("1.01", "1.02", "1.03", None, "1.04", "1.05")):
        if price is None:
            await act(account, "CLOSE", action_id="closes")
        else:
            verb = "OPEN" if place in (0, 4) else "INCREASE"
            await act(account, verb, action_id=price, quantity="1000", stop_loss=price)
    before = await rows("select seq, origin, price from orders where type = 'STOP_LOSS' order by seq")
    first, fourth = before[0]["seq"], before[3]["seq"]
    assert [row["origin"] for row in before] == [None, first, first, None, fourth]
    await _back_and_forth(database)
    assert await rows("select seq, origin, price from orders where type = 'STOP_LOSS' order by seq") == before
    await books_hold()


async def test_instruments_of_the_first_edition_get_a_kind_and_their_name(database: str) -> None:
    world = await a_world(database)
    for symbol in ("XAUUSD", "BTCUSD"):
        await instruments.save_instrument(ADMIN, Instrument(symbol, symbol[:3], "USD", 2, Decimal(1), Decimal(1)))
    await _back_and_forth(database)
    found = await rows(
        """select i.symbol, i.kind, i.contract_size, i.status, n.name, i.guard_mode, i.guard_move_pct
        from instruments i left join instrument_names n using (symbol) order by symbol"""
    )
    assert [tuple(row.values()) for row in found] == [
        ("BTCUSD", "CRYPTO", 1, "ACTIVE", "BTCUSD", "WARN", 20),
        ("EURUSD", "FOREX", 1, "ACTIVE", "EURUSD", "WARN", 5),
        ("GBPUSD", "FOREX", 1, "ACTIVE", "GBPUSD", "WARN", 5),
        ("XAUUSD", "METAL", 1, "ACTIVE", "XAUUSD", "WARN", 8),
    ]
    await world.quote("1.10120")
    await books_hold()
