"""The main use case through the services, with every fast path on and with every one off.

A challenge fails, and another one passes and is paid.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from config.settings import FastPaths, settings
from domain.columnar.shard import AccountShard
from services.group_commit import GroupCommit
from tests.services.world import a_world, act, rows, value


@pytest.fixture(params=[True, False], ids=["fast", "plain"], autouse=True)
def is_fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Turn every fast path on or off."""
    for name in FastPaths.model_fields:
        monkeypatch.setenv(f"PROPDESK_{name.upper()}", str(request.param).lower())
    settings.cache_clear()
    yield request.param
    settings.cache_clear()


async def test_the_switches_turn_the_fast_paths_off(
    database: str, is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"mark": 0, "group commit": 0}
    mark, answer = AccountShard.mark, GroupCommit.answer

    def counted_mark(*args: Any) -> Any:
        calls["mark"] += 1
        return mark(*args)

    async def counted_answer(*args: Any) -> Any:
        calls["group commit"] += 1
        return await answer(*args)

    monkeypatch.setattr(AccountShard, "mark", counted_mark)
    monkeypatch.setattr(GroupCommit, "answer", counted_answer)
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.10100")

    marked, opened_profit = (await rows("select marked_through, unrealised from balances"))[0].values()
    assert marked == await value("select max(number) from batches")
    assert opened_profit > 0
    assert calls == {"mark": calls["mark"], "group commit": int(is_fast)}
    assert bool(calls["mark"]) == is_fast


async def test_a_daily_loss_fails_the_challenge_and_closes_its_positions(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    opened = await act(account, "OPEN", action_id="a1", quantity="1000000")
    assert opened.status == "EXECUTED", opened.refusal

    await world.quote("1.09400")  # 6,000 of 100,000 lost within the day

    assert await value("select status from challenges where id = $1", challenge) == 3
    assert await value("select rule from breaches where challenge_id = $1", challenge) == "MAX_DAILY_LOSS"
    assert await value("select count(*) from positions where account_id = $1 and status = 'OPEN'", account) == 0
    assert await value("select read_only from accounts where id = $1", account)
    refused = await act(account, "OPEN", action_id="a2", quantity="1000")
    assert refused.refusal
    assert refused.refusal.code == "ACCOUNT_NOT_OPEN"


async def test_a_target_advances_to_the_funded_phase_whose_profit_is_paid(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.11100")
    await act(account, "CLOSE", action_id="a2")
    await world.quote("1.11101")

    funded = await world.account(challenge)
    assert funded != account
    await act(funded, "OPEN", action_id="b1", quantity="1000000")
    await world.quote("1.11600")
    await act(funded, "CLOSE", action_id="b2")
    await world.quote("1.11600", after=timedelta(days=2))

    assert await value("select status from challenges where id = $1", challenge) == 2
    payout = (await rows("select status, profit, amount from payouts"))[0]
    assert payout["status"] == "PAID"
    assert payout["amount"] > 0
    jobs = await rows("select kind, status, outcome from jobs order by id")
    assert {job["status"] for job in jobs} == {"DONE"}, jobs
