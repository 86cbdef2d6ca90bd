"""When a verdict is not set aside: each refusal leaves everything as it was."""

from datetime import timedelta

import pytest

from config.database import connection
from config.settings import settings
from domain.errors import (
    Forbidden,
    InvalidInput,
    InvalidTransition,
    NotFound,
    PayoutOpen,
    QuotesForgotten,
    StillBroken,
    TooManyQuotes,
    VerdictStands,
)
from domain.voids import Span
from services import admin, payouts, refunds, reinstatements
from tests.services.bad_prints import BLINK, SECOND, STRANGER, a_victim, bad_print, reinstate, void
from tests.services.winners import FREE, OPEN_ENDED, wins
from tests.services.world import CLIENT, MANAGER, TRADER, a_world, act, books_hold, settle, totals, value


async def test_what_breaks_without_the_bad_quotes_as_well_stands(database: str) -> None:
    """The bad print only showed early what a good quote found at the next batch: the void is of the one before."""
    world = await a_world(database, policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    bad = await bad_print(world, "1.09900")
    await world.quote("1.09000")  # 10,000 of the 5,000 that a day may lose
    with pytest.raises(VerdictStands):
        await reinstate(challenge)
    await void(bad)
    before = await totals()
    with pytest.raises(StillBroken) as broken:
        await reinstate(challenge)
    batch = await value("select batch from breaches where consequence = 'FAIL'")
    assert (broken.value.facts["rule"], broken.value.facts["batch"]) == ("MAX_DAILY_LOSS", batch)
    assert await totals() == before, "a refusal leaves nothing"
    await books_hold()


async def test_void_quotes_that_moved_nothing_of_it_set_nothing_aside(database: str) -> None:
    world, challenge, _, span, _ = await a_victim(database)
    other = await bad_print(world, "0.13", symbol="GBPUSD")
    await void(other)
    with pytest.raises(VerdictStands):
        await reinstate(challenge)
    later = Span("EURUSD", span.source_before, span.source_before + BLINK)  # the good quote after it
    await world.quote("1.10600", after=SECOND)
    await void(later)
    with pytest.raises(VerdictStands):
        await reinstate(challenge)


async def test_while_a_payout_is_open_nothing_is_set_aside(database: str) -> None:
    world = await a_world(database, steps=[OPEN_ENDED], policy=FREE)
    challenge, account = await world.buy()
    await wins(world, account)
    payout = await payouts.request_payout(MANAGER, challenge, "p1")
    await act(account, "OPEN", action_id="z", quantity="100000")
    span = await bad_print(world)
    await world.quote("1.11", after=timedelta(0))
    await void(span)
    with pytest.raises(PayoutOpen):
        await reinstate(challenge)
    await payouts.reject_payout(MANAGER, payout, "not yet", "p2")
    await reinstate(challenge)
    await books_hold()


async def test_what_has_not_failed_or_is_no_longer_sold_is_refused(database: str) -> None:
    world = await a_world(database, policy=FREE, cash=5_000)
    running, _ = await world.buy()
    with pytest.raises(InvalidTransition):
        await reinstate(running)
    failed, account = await world.buy("k2")
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await void(await bad_print(world))
    for refused, by in ((Forbidden, CLIENT), (Forbidden, TRADER), (NotFound, STRANGER)):
        with pytest.raises(refused):
            await reinstate(failed, by=by)
    with pytest.raises(NotFound):
        await reinstate(10**9)
    with pytest.raises(InvalidInput):
        await reinstatements.reinstate(MANAGER, failed, "", "k", apply=True)
    purchase = await value("select purchase_id from challenges where id = $1", failed)
    await refunds.refund(MANAGER, purchase, reason="asked for it", key="f")
    with pytest.raises(InvalidTransition) as sold:
        await reinstate(failed)
    assert sold.value.facts["current"] == "REFUNDED"


async def test_quotes_that_are_gone_or_too_many_are_said(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, challenge, _, span, _ = await a_victim(database)
    await void(span)
    monkeypatch.setattr(reinstatements, "QUOTES_AT_ONCE", 1)
    none_may_be_read = settings().model_copy(update={"reinstatement_quotes_max": 0})
    with monkeypatch.context() as patch:
        patch.setattr(reinstatements, "settings", lambda: none_may_be_read)
        with pytest.raises(TooManyQuotes):
            await reinstate(challenge)
    async with connection(database) as owner:
        await owner.execute("update retention set quotes_forgotten = (select max(number) from batches)")
        with pytest.raises(QuotesForgotten):
            await reinstate(challenge)
        await owner.execute("update retention set quotes_forgotten = 0")
    await reinstate(challenge)


async def test_an_end_that_was_ordered_by_hand_stands(database: str) -> None:
    world = await a_world(database, policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000")
    span = await bad_print(world, "1.09")
    await admin.liquidate(MANAGER, account, "abuse")
    await settle()
    await void(span)
    with pytest.raises(VerdictStands):
        await reinstate(challenge)
