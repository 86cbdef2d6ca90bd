"""`verify` finds an account that gained by slicing, whether each fill was rounded by itself once or never should be."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from config.database import connection
from domain.instruments import Instrument
from domain.orders import Fill
from domain.replay import replay
from services import actions, instruments
from services.checks import verify
from services.checks.slices import Slices
from tests.domain.test_replay import a_fill
from tests.services.world import ADMIN, TRADER, a_world, act, an_action, books_hold, rows, settle

FEE_BPS, RATE = Decimal(10), Decimal(65_000)
SLICES = 10_000


def sliced(opened: str, closed: str, *, cumulative: bool, slices: int = SLICES) -> list[Fill]:
    """One ether bought with bitcoin in a dollar account and sold in slices, each rounded by itself."""
    size = str(Decimal(1) / slices)
    first = a_fill(1, "OPEN", "1", opened, rate=RATE, fee=Decimal(65) * Decimal(opened), cumulative=False)
    fee = Decimal(65) * Decimal(closed) / slices
    later = [a_fill(5 + n, "REDUCE", size, closed, rate=RATE, fee=fee, cumulative=False) for n in range(slices)]
    return [replace(fill, cumulative=cumulative) for fill in replay([first, *later], FEE_BPS).fills]


def slices_of(fills: Sequence[Fill]) -> Slices:
    slices = Slices(FEE_BPS)
    for fill in fills:
        slices.take(fill)
    return slices


def test_an_account_that_gained_in_the_first_edition_is_found() -> None:
    """A loss of 2.60 that realised 0, and a profit of 5.2 that became 6.5."""
    slices = slices_of(sliced("0.05", "0.04996", cumulative=False))
    assert slices.fault() == f"gained 2.6 by slicing: of {SLICES + 1} amounts too many were rounded in its favour"
    slices = slices_of(sliced("0.05", "0.05008", cumulative=False))
    assert slices.fault() == f"gained 1.3 by slicing: of {SLICES + 1} amounts too many were rounded in its favour"
    assert slices.faults == {}


def test_the_same_books_in_the_second_edition_are_wrong_fill_by_fill() -> None:
    slices = slices_of(sliced("0.05", "0.04996", cumulative=True))
    assert slices.fault() is None
    [fault] = slices.faults.values()
    assert fault == (
        "realised 0 for fees of 3.25032474 in 2 fills, exactly it is -0.00026 for 3.25032474: gained 0.00026 by slicing"
    )
    assert slices_of(replay(sliced("0.05", "0.04996", cumulative=True), FEE_BPS).fills).faults == {}


def test_rounding_that_falls_either_way_by_chance_accuses_nobody() -> None:
    """Accounts of the first edition that traded as people do, some closing in a dozen equal parts."""
    chance = random.Random(7)
    for _ in range(300):
        fills: list[Fill] = []
        for position in range(chance.randint(1, 12)):
            parts, price, seq = chance.randint(1, 12), chance.randint(4_000, 6_000), 1000 * position + 1
            fills.append(a_fill(seq, "OPEN", f"{parts}.{chance.randint(1, 9999):04}", f"0.0{price}", rate=RATE))
            left = fills[-1].quantity
            for part in range(1, parts + 1):
                size = left if part == parts else Decimal(1)
                left -= size
                closed = f"0.0{chance.randint(4_000, 6_000)}"
                fills.append(a_fill(seq + part, "REDUCE", str(size), closed, rate=RATE))
        early = [replace(fill, cumulative=False, fee=rounded_fee(fill), position_seq=2) for fill in fills]
        for booked in (early, fills):
            assert slices_of(replay(booked, FEE_BPS).fills).fault() is None


def test_positions_opened_and_closed_to_be_rounded_are_found() -> None:
    """Without a fee, a position that exactly earns 0.6 of a unit earns a whole one: 100 of them are no chance."""
    fills = []
    for n in range(100):
        fills.append(a_fill(10 * n + 1, "OPEN", "0.1", "1", position_seq=10 * n + 2))
        fills.append(a_fill(10 * n + 5, "CLOSE", "0.1", "1.00000006", position_seq=10 * n + 2))
    slices = Slices(Decimal(0))
    for fill in replay(fills, Decimal(0)).fills:
        slices.take(fill)
    assert slices.faults == {}
    assert slices.fault() == "gained 0.0000004 by slicing: of 100 amounts too many were rounded in its favour"
    assert slices_of(replay(fills, FEE_BPS).fills).fault() is None, "a fee rounds up, and costs more than that"


def rounded_fee(fill: Fill) -> Decimal:
    return (fill.quantity * fill.price * fill.rate * FEE_BPS / 10_000).quantize(Decimal("1e-8"))


async def test_an_account_that_is_planted_is_found_in_the_books_of_a_desk(database: str) -> None:
    world = await a_world(database)
    for symbol, precision in (("ETHBTC", 6), ("BTCUSD", 2)):
        step = Decimal("0.0001")
        await instruments.save_instrument(ADMIN, Instrument(symbol, symbol[:3], symbol[3:], precision, step, step))
    world.at += timedelta(minutes=1)
    await world.quote("65000.00", symbol="BTCUSD")
    await world.quote("0.050000", symbol="ETHBTC", after=timedelta(seconds=1))
    _, account = await world.buy()
    assert (await act(account, "OPEN", action_id="a0", symbol="ETHBTC", quantity="0.05")).fill
    await world.quote("0.049960", symbol="ETHBTC", after=timedelta(seconds=1))
    dust = [an_action("REDUCE", f"r{n}", symbol="ETHBTC", quantity="0.0001") for n in range(250)]
    results = await actions.submit(TRADER, account, "r1", dust)
    assert sum(result.fill.realised for result in results if result.fill) == Decimal("-0.065")
    await settle()
    await books_hold()
    [kept] = await rows("select realised, realised_rest, whole_quantity from positions where account_id = $1", account)
    assert kept == {"realised": Decimal("-0.065"), "realised_rest": 0, "whole_quantity": Decimal("0.05")}
    async with connection(database) as owner:
        await owner.execute("set session_replication_role = replica")
        await owner.execute("update fills set realised = 0, cumulative = false where account_id = $1", account)
    found = [(v.subject, v.message) for v in await verify.check_books() if v.check == "slices sum to the whole"]
    assert found == [
        (f"account {account}", "gained 0.065 by slicing: of 251 amounts too many were rounded in its favour")
    ]
