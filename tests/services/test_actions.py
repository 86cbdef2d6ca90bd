"""Decision actions: executed once, answered again, refused by name, never beyond a limit."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from config.settings import settings
from domain.errors import InvalidInput, NotFound
from domain.instruments import Instrument
from domain.orders import Action
from services import actions, instruments, purchases, quotes
from services.principals import Principal, Role
from services.telemetry import REGISTRY
from tests.services.world import (
    ADMIN,
    CLIENT,
    EVALUATION,
    MANAGER,
    TRADER,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    another_process,
    books_hold,
    changed,
    rows,
    settle,
    totals,
    value,
    waits,
)


async def test_fifty_submissions_of_the_same_action_at_once_fill_once(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    answers = await asyncio.gather(*(actions.submit(TRADER, account, "r1", [an_action()]) for _ in range(50)))
    results = [answer[0] for answer in answers]
    assert sorted(result.replayed for result in results) == [False] + [True] * 49
    assert len({(result.status, result.seq, result.fill) for result in results}) == 1
    assert await value("select count(*) from fills") == await value("select count(*) from decision_actions") == 1
    await books_hold()


async def test_what_was_executed_or_refused_is_answered_again_and_not_done_again(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    executed = await act(account, "OPEN", action_id="a1", quantity="1000")
    rejected = await act(account, "REDUCE", action_id="a2", side="SHORT", quantity="1000")
    assert (executed.status, rejected.status) == ("EXECUTED", "REJECTED")
    await act(account, "OPEN", action_id="a3", side="SHORT", quantity="1000")  # now the rejected one would pass
    before = await totals()

    again = await act(account, "OPEN", action_id="a1", quantity="1000")
    assert (again.replayed, again.seq, again.fill) == (True, executed.seq, executed.fill)
    again = await act(account, "REDUCE", action_id="a2", side="SHORT", quantity="1000")
    assert (again.replayed, again.seq, again.refusal) == (True, rejected.seq, rejected.refusal)
    assert await totals() == before


async def test_an_id_used_for_another_content_is_refused_naming_the_field(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000")
    before = await totals()
    others = {
        "action": an_action("CLOSE", quantity="1000"),
        "symbol": an_action(symbol="GBPUSD"),
        "side": an_action(side="SHORT"),
        "quantity": an_action(quantity="2000"),
        "notional": an_action(quantity="1000", notional="5"),
        "fraction": an_action(quantity="1000", fraction="0.5"),
        "order": an_action(quantity="1000", order="MARKET"),
        "price": an_action(quantity="1000", price="1.1"),
        "stop_loss": an_action(quantity="1000", stop_loss="1"),
        "take_profit": an_action(quantity="1000", take_profit="2"),
        "reference": an_action(quantity="1000", reference="mine"),
    }
    for field, other in others.items():
        [answer] = await actions.submit(TRADER, account, "r1", [other])
        assert answer.refusal
        assert (answer.seq, answer.refusal.code) == (None, "IDEMPOTENCY_CONFLICT")
        assert field in answer.refusal.message
    assert await totals() == before

    [in_another_run] = await actions.submit(TRADER, account, "r2", [an_action("CLOSE", run="r2")])
    assert in_another_run.status == "EXECUTED"


async def test_an_id_twice_in_a_batch_is_refused_each_time_and_the_others_are_done(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    batch = [an_action(action_id="twice"), an_action(action_id="once"), an_action("CLOSE", "twice")]
    answers = await actions.submit(TRADER, account, "r1", batch)
    assert [answer.content for answer in answers] == batch
    assert [answer.refusal and answer.refusal.code for answer in answers] == [
        "DUPLICATE_IN_BATCH", None, "DUPLICATE_IN_BATCH",
    ]  # fmt: skip
    assert [row["action_id"] for row in await rows("select action_id from decision_actions")] == ["once"]


async def test_twenty_opens_at_once_never_exceed_five_positions(database: str) -> None:
    world = await a_world(database, symbols=20)
    _, account = await world.buy()
    opens = [an_action(action_id=f"a{n}", symbol=symbol) for n, symbol in enumerate(world.symbols)]
    assert len(opens) == 20
    answers = await asyncio.gather(*(actions.submit(TRADER, account, "r1", [action]) for action in opens))
    codes = [answer[0].refusal.code if answer[0].refusal else "EXECUTED" for answer in answers]
    assert sorted(codes) == ["EXECUTED"] * 5 + ["POSITIONS_MAX"] * 15
    assert await value("select count(*) from positions where status = 'OPEN'") == 5
    assert await value("select count(*) from decision_actions") == 20
    await books_hold()


async def test_a_read_only_a_pending_and_an_ended_account_refuse_without_a_trace(database: str) -> None:
    world = await a_world(database)
    _, passed = await world.buy()
    await act(passed, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.111")
    await act(passed, "CLOSE", action_id="a2")
    await quotes.ingest([a_quote("EURUSD", "1.111", world.at)])
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    pending = await world.account(challenge)
    refused = await act(pending, "OPEN", action_id="a1", quantity="1000")
    assert refused.refusal and (refused.refusal.code, refused.refusal.observed) == ("ACCOUNT_NOT_OPEN", "PENDING")
    refused = await act(passed, "OPEN", action_id="a3", quantity="1000")
    assert refused.refusal and (refused.refusal.code, refused.refusal.observed) == ("ACCOUNT_NOT_OPEN", "READ_ONLY")
    await settle()
    refused = await act(passed, "OPEN", action_id="a4", quantity="1000")
    assert refused.refusal and (refused.refusal.code, refused.refusal.observed) == ("ACCOUNT_NOT_OPEN", "COMPLETED")
    assert await value("select count(*) from decision_actions where status = 'REJECTED'") == 0
    assert await value("select count(*) from ledger where kind = 'action_rejected'") == 0
    await books_hold()


async def test_an_account_out_of_reach_is_not_found_like_a_missing_one(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    before = await totals()
    foreign = [
        Principal(9, "bot", Role.TRADER, "other"),
        Principal(9, "app", Role.CLIENT, "acme", "bob"),
        Principal(9, "bot", Role.TRADER, "acme", scope={"accounts": [account + 1]}),
        Principal(9, "bot", Role.TRADER, "acme", scope={"owners": ["bob"]}),
        Principal(9, "ticks", Role.FEED),
    ]
    for principal in foreign:
        with pytest.raises(NotFound) as refused:
            await actions.submit(principal, account, "r1", [an_action()])
        assert refused.value.field == "accountId"
    with pytest.raises(NotFound):
        await actions.submit(TRADER, account + 1, "r1", [an_action()])
    assert await totals() == before

    near = [CLIENT, MANAGER, Principal(9, "b", Role.TRADER, "acme", scope={"challenges": [challenge], "owners": []})]
    for n, principal in enumerate(near):
        [answer] = await actions.submit(principal, account, f"run{n}", [an_action(run=f"run{n}")])
        assert answer.seq, "answered and recorded"


async def test_other_accounts_do_not_wait_for_one_that_is_held(database: str) -> None:
    world = await a_world(database)
    held, account = await world.buy("k1")
    _, other = await world.buy("k2")
    async with another_process(database) as process:
        await process.execute("select from challenges where id = $1 for no key update", held)
        crowd = [asyncio.create_task(act(account, "OPEN", action_id="a1", quantity="1000")) for _ in range(50)]
        await waits(database)
        free = await act(other, "OPEN", action_id="a1", quantity="1000")
        assert free.status == "EXECUTED"
        assert not any(task.done() for task in crowd)
    assert {result.status for result in await asyncio.gather(*crowd)} == {"EXECUTED"}


TURNED_AWAY = [
    ({"quantity": "NaN"}, "INVALID_QUANTITY"),
    ({"quantity": "Infinity"}, "INVALID_QUANTITY"),
    ({"quantity": "-inf"}, "INVALID_QUANTITY"),
    ({"quantity": "1e400"}, "INVALID_QUANTITY"),
    ({"quantity": "1" + "0" * 150}, "INVALID_QUANTITY"),
    ({"quantity": f"1000.{'0' * 7}11"}, "INVALID_QUANTITY"),
    ({"quantity": "-1000"}, "INVALID_QUANTITY"),
    ({"quantity": "0"}, "INVALID_QUANTITY"),
    ({"quantity": ""}, "INVALID_QUANTITY"),
    ({"quantity": "\N{ARABIC-INDIC DIGIT ONE}000"}, "INVALID_QUANTITY"),
    ({"quantity": "1" * 201}, "INVALID_QUANTITY"),
    ({"quantity": "1000\0"}, "INVALID_QUANTITY"),
    ({"quantity": "\ud800"}, "INVALID_QUANTITY"),
    ({"quantity": "1000", "notional": "1000"}, "INVALID_QUANTITY"),
    ({"fraction": "0.5"}, "INVALID_QUANTITY"),
    ({"quantity": "999"}, "QUANTITY_MIN"),
    ({"quantity": "1000.5"}, "QUANTITY_STEP"),
    ({"notional": "1e-8"}, "QUANTITY_MIN"),
    ({"symbol": "\N{CYRILLIC CAPITAL LETTER IE}URUSD"}, "ASSET_NOT_ALLOWED"),
    ({"symbol": "eurusd"}, "ASSET_NOT_ALLOWED"),
    ({"symbol": "EURUSD "}, "ASSET_NOT_ALLOWED"),
    ({"symbol": ""}, "ASSET_NOT_ALLOWED"),
    ({"symbol": "GBPUSD"}, "PRICE_MISSING"),
    ({"side": "longish"}, "UNSUPPORTED_ACTION"),
    ({"verb": "HOLD"}, "UNSUPPORTED_ACTION"),
    ({"verb": "CANCEL"}, "UNSUPPORTED_ACTION"),
    ({"verb": "INCREASE"}, "NO_POSITION"),
    ({"verb": "CLOSE"}, "NO_POSITION"),
    ({"order": "ICEBERG", "price": "1.05"}, "UNSUPPORTED_ACTION"),
    ({"order": "LIMIT"}, "INVALID_ORDER"),
    ({"price": "1.05"}, "INVALID_ORDER"),
    ({"verb": "CLOSE", "order": "LIMIT", "price": "1.2"}, "NO_POSITION"),
    ({"verb": "CLOSE", "stop_loss": "1.2"}, "INVALID_ORDER"),
    ({"verb": "PROTECT", "stop_loss": "1.05"}, "NO_POSITION"),
    ({"verb": "PROTECT", "order": "LIMIT", "price": "1.2", "stop_loss": "1.05"}, "INVALID_ORDER"),
    ({"order": "LIMIT", "price": "NaN"}, "INVALID_PRICE"),
    ({"order": "STOP", "price": "1e400"}, "INVALID_PRICE"),
    ({"order": "STOP", "price": "1.2000000011"}, "PRICE_PRECISION"),
    ({"order": "LIMIT", "price": "-1"}, "INVALID_PRICE"),
    ({"order": "LIMIT", "price": "1.000001"}, "PRICE_PRECISION"),
    ({"stop_loss": "0"}, "INVALID_PRICE"),
    ({"take_profit": "1" * 10_000}, "INVALID_PRICE"),
    ({"stop_loss": "1.1"}, "STOP_LOSS_SIDE"),
    ({"take_profit": "1.1"}, "TAKE_PROFIT_SIDE"),
    ({"symbol": "GBPJPY"}, "RATE_MISSING"),
    ({"symbol": "XAUUSD"}, "PRICE_STALE"),
]


async def _quote_what_cannot_be_dealt_on(world: World) -> None:
    """An instrument whose currency no quoted pair converts, and one whose quote is a second too old."""
    for symbol, base, currency in (("GBPJPY", "GBP", "JPY"), ("XAUUSD", "XAU", "USD")):
        await instruments.save_instrument(ADMIN, Instrument(symbol, base, currency, 5, Decimal(1), Decimal(1000)))
    await quotes.ingest([a_quote("XAUUSD", "4000", world.at)])
    world.at += timedelta(seconds=61)
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at), a_quote("GBPJPY", "200", world.at)])


async def test_bad_actions_are_refused_one_by_one_and_sink_no_batch(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await _quote_what_cannot_be_dealt_on(world)
    batch = [an_action(**{"action_id": f"bad{n}", **given}) for n, (given, _) in enumerate(TURNED_AWAY)]
    answers = await actions.submit(TRADER, account, "r1", [*batch, an_action(action_id="good")])
    for (given, code), answer in zip(TURNED_AWAY, answers[:-1], strict=True):
        assert answer.refusal and answer.refusal.code == code, (given, answer)
    assert answers[-1].status == "EXECUTED"
    unread = [given for given, code in TURNED_AWAY if code in ("INVALID_QUANTITY", "INVALID_PRICE")]
    assert [answer.seq is None for answer in answers[:-1]] == [given in unread for given, _ in TURNED_AWAY]
    assert await value("select count(*) from decision_actions") == len(answers) - len(unread)
    assert await value("select count(*) from orders") == 1
    rejected = await value("select count(*) from ledger where kind = 'action_rejected'")
    assert rejected == len(TURNED_AWAY) - len(unread)
    await books_hold()


async def test_refusals_beyond_the_day_s_share_are_counted_and_their_ids_are_free(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.conditions.settings", lambda: settings().replace(stored_refusals_day_max=10))
    world = await a_world(database)
    _, account = await world.buy()
    counted = _unstored("NO_POSITION")
    batches = [[an_action("CLOSE", action_id=f"{n}-{m}", run=f"r{n}") for m in range(100)] for n in range(5)]
    answers = await asyncio.gather(
        *(actions.submit(TRADER, account, f"r{n}", batch) for n, batch in enumerate(batches))
    )
    refused = [answer for batch in answers for answer in batch]
    assert {answer.refusal and answer.refusal.code for answer in refused} == {"NO_POSITION"}
    assert sum(answer.seq is not None for answer in refused) == 10
    assert _unstored("NO_POSITION") == counted + 490
    assert await value("select count(*) from decision_actions") == 10
    assert await value("select count(*) from ledger where kind = 'action_rejected'") == 10
    assert await rows("select refusals_stored, refusals_beyond from balances where refusals_stored > 0") == [
        {"refusals_stored": 10, "refusals_beyond": 490}
    ]
    await books_hold()

    assert (await act(account, "OPEN", action_id="a1", quantity="1000")).status == "EXECUTED"
    beyond = next(answer.content for answer in refused if answer.seq is None)
    [again] = await actions.submit(TRADER, account, beyond.run, [beyond])
    assert (again.status, again.replayed) == ("EXECUTED", False)
    await books_hold()


def _unstored(code: str) -> float:
    return REGISTRY.get_sample_value("propdesk_actions_unstored_total", {"code": code}) or 0


async def test_a_batch_whose_size_or_run_is_unusable_is_refused_whole(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    before = await totals()
    cases: list[tuple[str, str, list[Action]]] = [
        ("actions", "r1", []),
        ("actions", "r1", [an_action(action_id=f"a{n}") for n in range(251)]),
        ("runId", "", [an_action()]),
        ("runId", "x" * 201, [an_action()]),
        ("runId", "r\0", [an_action()]),
    ]
    for field, run, batch in cases:
        with pytest.raises(InvalidInput) as refused:
            await actions.submit(TRADER, account, run, batch)
        assert refused.value.field == field
    assert await totals() == before
    most = [an_action("HOLD", action_id=f"a{n}") for n in range(250)]
    assert len(await actions.submit(TRADER, account, "r1", most)) == 250


async def test_an_action_that_cannot_be_stored_is_refused_alone_and_leaves_no_trace(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    long, torn = "x" * 201, "\ud800"
    unreadable = [
        an_action(action_id=""),
        an_action(action_id=torn),
        an_action(action_id="b1", symbol=long),
        an_action(action_id="b2", reference=torn),
        an_action(action_id="b3", order=long),
        an_action(action_id="b4", side="LONG\0"),
        an_action("BUY", action_id="b5"),
    ]
    before = await totals()
    answers = await actions.submit(TRADER, account, "r1", unreadable)
    assert {(answer.seq, answer.status) for answer in answers} == {(None, "REJECTED")}
    assert [answer.refusal and answer.refusal.code for answer in answers] == [
        *["INVALID_ACTION"] * 6, "UNSUPPORTED_ACTION",
    ]  # fmt: skip
    assert await totals() == before
    answers = await actions.submit(TRADER, account, "r1", [*unreadable[:3], an_action(action_id="b1"), *unreadable[3:]])
    assert [answer.refusal is None for answer in answers].count(True) == 1
    assert answers[3].content.action_id == "b1"
    foreign = Principal(9, "bot", Role.TRADER, "other")
    with pytest.raises(NotFound):
        await actions.submit(foreign, account, "r1", unreadable)


async def _loses_beyond_its_limit(world: World) -> tuple[int, int]:
    """A challenge whose breach nobody has looked at yet: no marker ran."""
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await quotes.ingest([a_quote("EURUSD", "1.09", world.at + timedelta(seconds=1))])
    return challenge, account


async def test_a_close_that_comes_upon_a_breach_is_refused_and_the_breach_stands(database: str) -> None:
    world = await a_world(database)
    challenge, account = await _loses_beyond_its_limit(world)
    late = await act(account, "CLOSE", action_id="a2")
    assert late.refusal and (late.refusal.code, late.refusal.observed) == ("ACCOUNT_NOT_OPEN", "READ_ONLY")
    assert await value("select rule from breaches where challenge_id = $1", challenge) == "MAX_TOTAL_LOSS"
    assert await value("select status from challenges where id = $1", challenge) == 3
    await settle()
    assert [row["reason"] for row in await rows("select reason from orders where verb = 'CLOSE'")] == ["PHASE_ENDED"]
    await books_hold()


async def test_a_quote_that_heals_the_loss_does_not_heal_the_breach_before_it(database: str) -> None:
    world = await a_world(database)
    challenge, account = await _loses_beyond_its_limit(world)
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at + timedelta(seconds=2))])
    late = await act(account, "CLOSE", action_id="a2")
    assert late.status == "REJECTED"
    breach = (await rows("select batch, observed from breaches where challenge_id = $1", challenge))[0]
    assert breach["batch"] == await value("select max(number) - 1 from batches")
    assert breach["observed"] < Decimal(95_000)


async def test_fills_that_breach_stop_the_actions_behind_them(database: str) -> None:
    costly = WIDE | {"fee_bps": Decimal(100)}
    tight = changed(EVALUATION, max_daily_loss_pct=Decimal(1))
    world = await a_world(database, steps=[tight], policy=costly)
    _, account = await world.buy()
    batch = [an_action(quantity="500000"), an_action("CLOSE", "a2"), an_action("OPEN", "a3")]
    answers = await actions.submit(TRADER, account, "r1", batch)
    assert [answer.status for answer in answers] == ["EXECUTED", "REJECTED", "REJECTED"]
    await settle()
    assert await value("select count(*) from breaches where consequence = 'FAIL'") == 1
    await books_hold()
