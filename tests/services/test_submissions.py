"""Group commit: each submission has its own answer, and a failing one affects no other."""

import asyncio
from typing import Any

import pytest

from models import sql
from models.sql import Connection
from services import group_commit
from tests.services.world import (
    World,
    a_world,
    act,
    another_process,
    books_hold,
    kill_connections,
    rows,
    value,
    waits,
)

TRANSACTIONS = "select count(distinct xmin::text) from decision_actions"


async def _traders(database: str, many: int) -> list[int]:
    """Accounts that each have traded before, so that nothing of them is to be looked up any more."""
    world: World = await a_world(database, price=0)
    accounts = [(await world.buy(f"k{n}"))[1] for n in range(many)]
    for account in accounts:
        await act(account, "OPEN", action_id="first", quantity="1000")
    return accounts


async def test_those_that_come_at_once_share_transactions_and_get_each_its_own_answer(database: str) -> None:
    accounts = await _traders(database, 20)
    sides = ["SHORT" if n % 4 else "LONG" for n in range(len(accounts))]  # every fourth side is open already
    before = await value(TRANSACTIONS)
    answers = await asyncio.gather(
        *(act(account, "OPEN", action_id="a1", side=side, quantity=f"{1000 + n}")
          for n, (account, side) in enumerate(zip(accounts, sides, strict=True)))
    )  # fmt: skip
    assert await value(TRANSACTIONS) - before == 2, f"{group_commit.ACTIONS_MAX} in the one, the rest in the other"
    for n, (account, answer) in enumerate(zip(accounts, answers, strict=True)):
        assert (answer.account, answer.content.quantity) == (account, f"{1000 + n}")
        refused = answer.refusal and answer.refusal.code
        assert refused == ("POSITION_EXISTS" if sides[n] == "LONG" else None)
    again = await asyncio.gather(*(act(account, "OPEN", action_id="first", quantity="1000") for account in accounts))
    assert all(answer.replayed for answer in again)
    await books_hold()


async def test_one_whose_root_is_held_elsewhere_keeps_nobody_waiting(database: str) -> None:
    accounts = await _traders(database, 4)
    held = await value("select challenge_id from accounts where id = $1", accounts[1])
    async with another_process(database) as process:
        await process.execute("select from challenges where id = $1 for no key update", held)
        tasks = [asyncio.create_task(act(account, "CLOSE", action_id="a1")) for account in accounts]
        await waits(database)
        free = [task for n, task in enumerate(tasks) if n != 1]
        assert {answer.status for answer in await asyncio.gather(*free)} == {"EXECUTED"}
        assert not tasks[1].done()
    assert (await tasks[1]).status == "EXECUTED"
    await books_hold()


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after"])
async def test_a_transaction_that_fails_is_made_good_by_each_alone(
    database: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    accounts = await _traders(database, 5)
    write, killed = sql.write_together, list[int]()

    async def interrupted(conn: Connection, parts: Any) -> None:
        if after:
            await write(conn, parts)
        if not killed:
            killed.append(await kill_connections(database, only=conn.get_server_pid()))
        if not after:
            await write(conn, parts)

    monkeypatch.setattr(sql, "write_together", interrupted)
    answers = await asyncio.gather(*(act(account, "CLOSE", action_id="a1") for account in accounts))
    assert killed == [1]
    assert {(answer.status, answer.replayed) for answer in answers} == {("EXECUTED", False)}
    assert await rows("select count(*) as many from fills group by account_id") == [{"many": 2}] * 5
    await books_hold()


async def test_whoever_gives_up_waiting_leaves_the_others_their_answers(database: str) -> None:
    accounts = await _traders(database, 3)
    tasks = [asyncio.create_task(act(account, "CLOSE", action_id="a1")) for account in accounts]
    await asyncio.sleep(0)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert {(await task).status for task in tasks[1:]} == {"EXECUTED"}
    assert (await act(accounts[0], "CLOSE", action_id="a1")).status == "EXECUTED", "now, or before"
    await books_hold()


STEPS: list[tuple[str, dict[str, str]]] = [("CLOSE", {}), ("OPEN", {"quantity": "1000"})] * 5
"""With a position open to begin with: whatever overtakes another finds it as it must not be."""


@pytest.mark.parametrize("held", [False, True], ids=["free", "held elsewhere"])
async def test_what_is_submitted_to_one_account_is_executed_in_that_order(database: str, held: bool) -> None:
    accounts = await _traders(database, 3)
    challenge = await value("select challenge_id from accounts where id = $1", accounts[1]) if held else 0
    async with another_process(database) as process:
        await process.execute("select from challenges where id = $1 for no key update", challenge)
        tasks = [
            asyncio.create_task(act(account, verb, action_id=f"a{n}", **size))
            for n, (verb, size) in enumerate(STEPS)
            for account in accounts
        ]
        if held:
            await waits(database)
    answers = await asyncio.gather(*tasks)
    assert not [(answer.account, answer.content.action_id, answer.refusal) for answer in answers if answer.refusal]
    for account in accounts:
        seqs = [answer.seq for answer in answers if answer.account == account and answer.seq]
        assert len(seqs) == len(STEPS)
        assert seqs == sorted(seqs)
    await books_hold()
