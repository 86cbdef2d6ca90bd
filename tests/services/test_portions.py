"""A program that was sold often is deleted in portions: bounded, resumed, audited once."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from config.settings import settings
from domain.errors import InvalidInput, NotFound, PayoutOpen, ProgramNotAvailable
from domain.lifecycles import ProgramStatus
from models import program_deletion as table
from models.program_deletion import DeletedSale
from services import payments, payouts, program_deletion, programs, purchases
from services.unit_of_work.openings import catch_up_many
from services.unit_of_work.roots import LockRoot
from tests.services.winners import a_winner
from tests.services.world import CLIENT, MANAGER, World, a_world, act, books_hold, elsewhere, rows, value

SOLD = 7


@pytest.fixture
def _two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sales a transaction, one transaction a request."""
    few = settings().replace(removal_portion=2, removal_seconds_max=0)
    monkeypatch.setattr(program_deletion, "settings", lambda: few)


async def _a_bestseller(url: str) -> World:
    """A program sold so often, once more with its payment awaited; one position is open."""
    world = await a_world(url, cash=10_000)
    for n in range(SOLD):
        _, account = await world.buy(f"k{n}")
    await act(account, "OPEN", action_id="a1", quantity="1000")
    await payments.order_purchase(CLIENT, world.program, "outside")
    return world


async def _delete(world: World) -> dict[str, int]:
    counters: dict[str, int] = await elsewhere(program_deletion.delete_program(MANAGER, world.program, "discontinued"))
    return counters


@pytest.mark.usefixtures("_two_at_once")
async def test_it_stops_at_its_time_and_goes_on_where_it_was_when_asked_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await _a_bestseller(database)
    portions: list[int] = []

    def counted(roots: Sequence[LockRoot], **options: Any) -> Any:
        portions.append(len(roots))
        return catch_up_many(roots, **options)

    monkeypatch.setattr(program_deletion, "catch_up_many", counted)
    went: list[dict[str, int]] = []
    while not went or not went[-1]["programs"]:
        went.append(await _delete(world))
        await books_hold()
    assert [gone["challenges"] for gone in went] == [2, 4, 6, 7]
    assert [gone["cancelled"] for gone in went] == [2, 4, 6, 7]
    assert went[-1]["purchases"] == SOLD + 1
    assert portions == [2, 2, 2, 1]
    [audited] = await rows("select before::text, after::text from audit where operation = 'deleteProgram'")
    after = json.loads(audited["after"])
    assert after == went[-1] | {"hash": after["hash"]}
    assert json.loads(audited["before"])["program"]["status"] == "ARCHIVED"
    sales = await rows("select purchase_id, challenge_id, body from removed_sales order by id")
    assert program_deletion.chain("", [DeletedSale(**sale) for sale in sales]) == after["hash"]
    assert [sale["challenge_id"] is None for sale in sales] == [False] * SOLD + [True]
    assert await value("select count(*) from removals") == 0
    await world.quote("1.1001")
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    await books_hold()


@pytest.mark.usefixtures("_two_at_once")
async def test_until_it_is_complete_the_program_cannot_be_sold_or_changed(database: str) -> None:
    world = await _a_bestseller(database)
    assert (await _delete(world))["programs"] == 0
    with pytest.raises(ProgramNotAvailable):
        await purchases.buy(CLIENT, world.program, world.wallet, "late")
    for change in ({"status": ProgramStatus.DISABLED}, {"changes": {"name": "Another"}}):
        with pytest.raises(InvalidInput) as refused:
            await programs.update_program(MANAGER, world.program, expected_version=2, **change)
        assert refused.value.field == "id"
    reference = await value("select payment_reference from purchases where payment_reference is not null")
    await payments.confirm_payment(
        MANAGER, reference=reference, amount=Decimal(500), currency="USD", key="c1"
    )  # begins a challenge
    while not (gone := await _delete(world))["programs"]:
        pass
    assert (gone["challenges"], gone["purchases"]) == (SOLD + 1, SOLD + 1)
    await books_hold()


@pytest.mark.usefixtures("_two_at_once")
async def test_a_portion_that_fails_changes_nothing_and_deletions_at_once_share_the_work(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await _a_bestseller(database)
    first = await _delete(world)

    async def dies(*_args: object) -> None:
        raise ConnectionResetError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(table, "write_deletion_progress", dies)
        with pytest.raises(ConnectionResetError):
            await _delete(world)
    assert await value("select count(*) from challenges") == SOLD - 2
    assert await value("select count(*) from removed_sales") == first["challenges"] == 2
    ends: list[object] = []
    while not any(isinstance(end, dict) and end["programs"] for end in ends):
        ends += await asyncio.gather(*(_delete(world) for _ in range(3)), return_exceptions=True)
    assert {type(end) for end in ends} <= {dict, NotFound}
    [audited] = await rows("select after::text from audit where operation = 'deleteProgram'")
    after = json.loads(audited["after"])
    assert (after["challenges"], after["purchases"], after["cancelled"]) == (SOLD, SOLD + 1, SOLD)
    sales = await rows("select purchase_id, challenge_id, body from removed_sales order by id")
    assert program_deletion.chain("", [DeletedSale(**sale) for sale in sales]) == after["hash"]
    await books_hold()


@pytest.mark.usefixtures("_two_at_once")
async def test_no_portion_goes_while_a_payout_of_any_challenge_is_open(database: str) -> None:
    world, challenge, _ = await a_winner(database)
    for n in range(2, 4):
        await world.buy(f"k{n}")
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    with pytest.raises(PayoutOpen) as refused:
        await _delete(world)
    assert refused.value.facts == {"challenge": challenge, "payout": payout, "status": "REQUESTED"}
    assert await value("select count(*) from challenges") == 3
