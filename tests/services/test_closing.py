"""After a verdict: positions close at the first fresh quotes of their own, and what follows is owed once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services import marking, quotes, system
from tests.services.world import (
    EVALUATION,
    FUNDED,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    changed,
    rows,
    settle,
    value,
)

FRIDAY = datetime(2026, 3, 6, 21, 50, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 8, 22, 5, tzinfo=UTC)


async def _quotes(world: World, at: datetime, **mids: str) -> None:
    world.at = at
    await quotes.ingest([a_quote(symbol, mid, at) for symbol, mid in mids.items()])
    await settle()


async def _open(account: int) -> list[str]:
    held = "select symbol from positions where account_id = $1 and status = 'OPEN' order by symbol"
    return [row["symbol"] for row in await rows(held, account)]


async def test_over_a_weekend_what_has_no_fresh_quote_waits_and_what_was_closed_stays_closed(database: str) -> None:
    world = await a_world(database, symbols=2)
    challenge, account = await world.buy()
    await _quotes(world, FRIDAY, EURUSD="1.1", XX01USD="1.1")
    for n, symbol in enumerate(world.symbols):
        opened = await act(account, "OPEN", action_id=f"a{n}", symbol=symbol, quantity="500000")
        assert opened.status == "EXECUTED", opened.refusal
    await _quotes(world, SUNDAY, EURUSD="1.07")  # a gap through the floor

    assert await value("select status from challenges where id = $1", challenge) == 3
    breach = (await rows("select observed, floor, market_time from breaches"))[0]
    assert (breach["market_time"], breach["observed"] < breach["floor"]) == (SUNDAY, True)
    assert await _open(account) == ["XX01USD"]
    newest: int = await value("select max(number) from batches")
    [job] = await rows("select status, attempts, waits_for_batch, outcome from jobs where kind = 'close_account'")
    assert (job["status"], job["attempts"], job["waits_for_batch"]) == ("QUEUED", 0, newest + 1)
    assert job["outcome"] == "waits for quotes: XX01USD"
    assert (await system.read_state()).evaluated_through == newest, "who waits for quotes does not hold them up"

    await _quotes(world, SUNDAY + timedelta(seconds=1), EURUSD="1.08")
    assert await _open(account) == ["XX01USD"]
    await _quotes(world, SUNDAY + timedelta(seconds=2), XX01USD="1.05")
    assert await _open(account) == []
    closings = await rows("select symbol, price from fills where verb = 'CLOSE' order by seq")
    assert [(row["symbol"], row["price"]) for row in closings] == [
        ("EURUSD", Decimal("1.07")), ("XX01USD", Decimal("1.05")),
    ]  # fmt: skip
    assert await value("select status from jobs where kind = 'close_account'") == "DONE"
    await books_hold()


async def test_an_account_that_failed_keeps_its_status_and_may_never_trade_again(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.09")
    assert await rows("select status, read_only from accounts") == [{"status": "ACTIVE", "read_only": True}]
    assert await value("select live from balances") is False
    seq: int = await value("select seq from balances")
    for mid in ("1.0", "1.2"):
        await world.quote(mid)
    assert await value("select seq from balances") == seq, "flat and ended, it is marked no more"
    await books_hold()


async def test_a_liquidation_fails_the_phase_and_ends_the_account(database: str) -> None:
    gentle = changed(EVALUATION, max_daily_loss_pct=Decimal(0), max_total_loss_pct=Decimal(0))
    world = await a_world(database, steps=[gentle])
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.05")  # 50 % of the balance is left
    assert await value("select rule from breaches where consequence = 'FAIL'") == "LIQUIDATION"
    assert await value("select status from challenges where id = $1", challenge) == 3
    [ended] = await rows("select status, ended_at, result from accounts where id = $1", account)
    assert (ended["status"], ended["ended_at"]) == ("LIQUIDATED", world.at)
    assert ended["result"]
    await books_hold()


async def test_a_passed_phase_completes_its_account_and_starts_the_next_one_once(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.111")
    await act(account, "CLOSE", action_id="a2")
    await settle()
    funded = await world.account(challenge)
    assert await rows("select id, status, read_only, mode from accounts order by id") == [
        {"id": account, "status": "COMPLETED", "read_only": True, "mode": "EVALUATION"},
        {"id": funded, "status": "ACTIVE", "read_only": False, "mode": "FUNDED"},
    ]
    assert await rows("select phase_index, status, started_at from challenge_phases order by id") == [
        {"phase_index": 1, "status": 2, "started_at": world.at - timedelta(minutes=1)},
        {"phase_index": 2, "status": 1, "started_at": world.at},
    ]
    assert await rows("select status, current_phase_index from challenges") == [{"status": 1, "current_phase_index": 2}]
    told = await rows("select name, payload::text from outbox where name like '%phase_changed'")
    assert len(told) == 1
    for number in (account, funded):
        assert str(number) in told[0]["payload"]
    await books_hold()


async def test_a_target_and_a_breach_in_the_same_batch_is_a_failure(database: str) -> None:
    both = changed(
        EVALUATION, profit_target_pct=Decimal(1), max_daily_profit_pct=Decimal(1), limits={"daily_profit": {}}
    )
    world = await a_world(database, steps=[both], policy=WIDE | {"fee_bps": Decimal(0)})
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.11")
    await act(account, "CLOSE", action_id="a2")
    await world.quote("1.12")
    assert await value("select rule from breaches where consequence = 'FAIL'") == "MAX_DAILY_PROFIT"
    assert await value("select status from challenges where id = $1", challenge) == 3
    await books_hold()


async def test_a_next_phase_is_not_opened_for_a_challenge_that_has_moved_on(database: str) -> None:
    world = await a_world(database, steps=[EVALUATION, changed(FUNDED, duration_days=1)])
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.111")
    await act(account, "CLOSE", action_id="a2")
    await settle()
    again = """insert into jobs (brand, kind, challenge_id, account_id) values ('acme', $1, $2, $3)"""
    for kind in ("open_next_phase", "close_account", "start_account", "deposit", "withdraw_fee"):
        await value(again, kind, challenge, account)
    await settle()
    assert await value("select count(*) from accounts") == 2
    assert await value("select count(*) from jobs where status = 'DONE'") == await value("select count(*) from jobs")
    assert await marking.mark_all() == marking.Marked(accounts=1, failed=0)
    await books_hold()
