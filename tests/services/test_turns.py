"""Saves of one name wait for each other, so that the audit of each has the values it replaced."""

import asyncio
from dataclasses import replace
from decimal import Decimal

from config.database import pool
from services import brands, instruments
from tests.services.builders import ADMIN, EURUSD, a_desk, a_group

MANY = 6


async def test_of_many_that_save_at_once_each_is_told_what_it_replaced(database: str) -> None:
    await a_desk()
    await asyncio.gather(
        *(brands.save_brand(ADMIN, name="new", title=f"Title {number}") for number in range(MANY)),
        *(a_group(name="NEW", deposit=Decimal(number + 1)) for number in range(MANY)),
        *(
            instruments.save_instrument(ADMIN, replace(EURUSD, symbol="NEW", price_precision=number))
            for number in range(MANY)
        ),
    )
    for operation, name in (("saveBrand", "new"), ("saveAccountGroup", None), ("saveInstrument", "NEW")):
        told = await pool().fetch(
            """select before - 'name' as before, after - 'name' as after from audit
            where operation = $1 and (object_id = $2 or after ->> 'name' = 'NEW') order by id""",
            operation,
            name,
        )
        assert [row["before"] for row in told] == ["{}", *(row["after"] for row in told[:-1])], operation
        assert len(told) == MANY
