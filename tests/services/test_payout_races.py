"""Payouts asked for and decided at once, upon a breach, or with the connection gone: once each, and never in half."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import IdempotencyConflict, InvalidTransition
from domain.payouts import PayoutNotEligible
from models import payouts as table
from services import payouts, quotes
from services.connections import LOST
from services.jobs import work_queue
from tests.services.winners import a_winner, figures
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    a_quote,
    act,
    books_hold,
    kill_connections,
    rows,
    settle,
    totals,
    value,
)


async def test_requests_at_once_make_one_payout(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    answers = await asyncio.gather(
        *(payouts.request_payout(CLIENT, challenge, key) for key in ("p1", "p1", "p2", "p1", "p3")),
        return_exceptions=True,
    )
    made = {answer for answer in answers if isinstance(answer, int)}
    assert len(made) == 1
    refused = [answer for answer in answers if isinstance(answer, PayoutNotEligible)]
    assert len(refused) == len([answer for answer in answers if not isinstance(answer, int)])
    assert {c.condition for refusal in refused for c in refusal.criteria if not c.met} <= {"NO_OPEN_PAYOUT", "PROFIT"}
    assert await value("select count(*) from payouts") == 1
    await books_hold()


async def test_of_decisions_at_once_one_is_taken(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    deciding = [
        payouts.approve_payout(MANAGER, payout, "a1"),
        payouts.reject_payout(MANAGER, payout, "no", "r1"),
        payouts.cancel_payout(CLIENT, payout, "c1"),
        payouts.approve_payout(ADMIN, payout, "a2"),
    ]
    answers = await asyncio.gather(*deciding, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["InvalidTransition"] * 3 + ["NoneType"]
    await settle()
    await books_hold()


async def test_repeated_with_its_key_nothing_changes_and_with_another_it_is_refused(database: str) -> None:
    world, challenge, _ = await a_winner(database)
    other, _ = await world.buy("k2")
    payout = await payouts.request_payout(MANAGER, challenge, "p1")
    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    before = await totals()
    await payouts.approve_payout(MANAGER, payout, "a1")
    assert await payouts.request_payout(MANAGER, challenge, "p1") == payout
    with pytest.raises(InvalidTransition):
        await payouts.approve_payout(MANAGER, payout, "a2")
    with pytest.raises(IdempotencyConflict) as conflict:
        await payouts.request_payout(MANAGER, other, "p1")
    assert conflict.value.field == "challengeId"
    assert await totals() == before
    audited = await rows(
        "select operation, object_kind, object_id from audit where chain = 'acme' order by id desc limit 2"
    )
    assert [tuple(row.values()) for row in audited] == [
        ("approvePayout", "payout", str(payout)),
        ("requestPayout", "payout", str(payout)),
    ]
    await books_hold()


async def test_a_request_that_comes_upon_a_breach_is_refused_whoever_finds_it_first(database: str) -> None:
    world, challenge, account = await a_winner(database)
    await act(account, "OPEN", action_id="o1", quantity="1000000")
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.05", world.at)])
    for _ in range(2):
        with pytest.raises(PayoutNotEligible) as refusal:
            await payouts.request_payout(CLIENT, challenge, "p1")
        assert [(c.condition, c.met) for c in refusal.value.criteria] == [("FUNDED_PHASE", False)]
        await settle()
    assert await value("select end_reason from challenges") == "MAX_TOTAL_LOSS"
    assert await value("select count(*) from payouts") == 0
    await books_hold()


async def test_a_connection_lost_at_any_step_leaves_it_undone_and_the_next_try_does_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, challenge, account = await a_winner(database)
    before = await figures(account)

    async def cut(name: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Lose every connection once, just after a statement of the models."""
        statement, killed = getattr(table, name), list[int]()

        async def interrupted(*args: Any, **kwargs: Any) -> Any:
            answer = await statement(*args, **kwargs)
            if not killed:
                killed.append(await kill_connections(database))
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(table, name, interrupted)
            with suppress(*LOST):
                await work()
        assert killed, name
        await books_hold()

    await cut("insert_payout", lambda: payouts.request_payout(CLIENT, challenge, "p1"))
    assert await figures(account) == before
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await cut("decide_payout", lambda: payouts.approve_payout(MANAGER, payout, "a1"))
    assert await value("select status from payouts") == "REQUESTED"
    await payouts.approve_payout(MANAGER, payout, "a1")
    await cut("mark_paid", work_queue.do_jobs)
    assert await value("select status from payouts") == "APPROVED"
    await value("update jobs set due_at = now() where status = 'QUEUED' returning id")
    await settle()
    assert await value("select status from payouts") == "PAID"
    assert await value("select cash from wallets") == 9500
    await books_hold()
