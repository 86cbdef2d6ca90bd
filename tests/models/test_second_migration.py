"""The second migration on a database that has lived: it keeps every row, and the desk goes on as it was."""

from pathlib import Path
from typing import Any

from config.database import connection
from services import purchases
from tests.services.world import CLIENT, a_world, act, books_hold, rows, value

HERE = Path(__file__).parents[2] / "migrations" / "models"
PHASES = """
select challenge_id, phase_index, phase_type, account_id, status, initial_balance, ended_at, end_reason
from challenge_phases order by challenge_id, phase_index
"""


async def _back_and_forth(url: str) -> None:
    """Take the schema back to the first edition's and up again, as the owner of its tables."""
    async with connection(url) as owner:
        for name in ("1_20261130_second.down.sql", "1_20261130_second.sql"):
            async with owner.transaction():
                await owner.execute((HERE / name).read_text())


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
