"""A conversion rate that has gone silent stops what adds exposure, and neither the trader's exit nor the judge."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain import execution, fold
from domain.accounts import Account, Journal
from domain.execution import Moment
from domain.instruments import Currency
from domain.ledger import Kind
from domain.lifecycles import ActionStatus, ChallengeStatus, OrderStatus
from domain.orders import ActionResult, OrderType
from domain.positions import Side
from domain.quotes import Batch, Market, Quote
from domain.snapshots import snapshot
from domain.terms import PhaseTerms
from domain.verdicts import Conditions
from tests.domain.builders import a_catalogue, a_limit, a_phase_terms, a_policy, an_account, an_action
from tests.domain.desk_builders import HOUR, UTC_DAYS, deposited, priced, started

FRIDAY = datetime.fromisoformat("2026-03-06T20:00:00+00:00")
SATURDAY = FRIDAY + timedelta(hours=20)
SECOND = timedelta(seconds=1)
FREE = a_policy(fee_bps=Decimal(0))
WEEKEND = replace(
    a_catalogue("BTCUSD", "EURUSD"), currencies={code: Currency(code, 2, code) for code in ("USD", "EUR")}
)


class Weekend:
    """A euro account, long 5 BTC bought on Friday at 10,000 with EURUSD at 1.25; then only BTCUSD is quoted."""

    def __init__(self, terms: PhaseTerms | None = None, **given: Any) -> None:
        self.conditions = Conditions(WEEKEND, HOUR, UTC_DAYS, terms)
        self.market: Market = {
            "BTCUSD": priced("BTCUSD", "10000", FRIDAY), "EURUSD": priced("EURUSD", "1.25", FRIDAY),
        }  # fmt: skip
        self.at, self.number, self.journal = FRIDAY, 1, Journal()
        self.account: Account
        if terms:
            self.account, _ = started(terms, policy=FREE, currency="EUR")
        else:
            self.account, _ = deposited(an_account(policy=FREE, currency="EUR", marked_through=1, marked_at=FRIDAY))
        assert self.act("OPEN", quantity="5", **given).status is ActionStatus.EXECUTED

    def act(self, verb: str, **given: Any) -> ActionResult:
        action = an_action(action_id=f"a{self.account.seq}", action=verb, symbol="BTCUSD", **{"quantity": None} | given)
        moment = Moment(self.market, self.at, self.number)
        self.account, [result] = execution.submit(self.account, [action], {}, moment, self.conditions, self.journal)
        return result

    def quote(self, *prices: str) -> None:
        """BTCUSD on Saturday, a second apart."""
        for price in prices:
            self.at = max(SATURDAY, self.at + SECOND)
            self.number += 1
            quote = Quote("BTCUSD", Decimal(price), Decimal(price), self.at)
            batch = Batch(self.number, self.at, (quote,))
            self.account = fold.catch_up(self.account, self.market, [batch], self.conditions, self.journal)
            self.market = {**self.market, "BTCUSD": quote}


def test_a_stop_loss_fills_at_the_weekend_at_the_last_good_rate() -> None:
    played = Weekend(a_phase_terms(), stop_loss="9500")
    played.quote("9800", "9500", "8700")
    assert (played.account.cash, played.account.equity) == (Decimal(98_000), Decimal(98_000))
    assert played.account.phase
    assert played.account.phase.status is ChallengeStatus.ACTIVE
    fill = played.journal.fills[-1]
    assert (fill.price, fill.realised, fill.rate) == (Decimal(9500), Decimal(-2000), Decimal("0.8"))
    assert (fill.rate_pairs, fill.rate_time, fill.rate_stale) == ("EURUSD", FRIDAY, True)
    [row] = [row for row in played.journal.rows if row.kind is Kind.FILL and row.facts["verb"] == "CLOSE"]
    assert (row.facts["rate_pairs"], row.facts["rate_age_seconds"], row.facts["rate_stale"]) == ("EURUSD", 72_001, True)


def test_a_take_profit_fills_too() -> None:
    played = Weekend(take_profit="10500")
    played.quote("10600")
    assert (played.account.cash, played.account.positions) == (Decimal(102_400), {})


def test_reduce_and_close_execute_and_open_and_increase_are_refused() -> None:
    played = Weekend()
    played.quote("9800")
    for verb, side in (("INCREASE", "LONG"), ("OPEN", "SHORT")):
        refusal = played.act(verb, quantity="1", side=side).refusal
        assert refusal
        assert (refusal.code, refusal.limit, refusal.observed) == ("PRICE_STALE", "60", "72000")
        assert "EURUSD" in refusal.message
    assert played.act("REDUCE", quantity="2").status is ActionStatus.EXECUTED
    assert played.act("CLOSE").status is ActionStatus.EXECUTED
    assert played.account.cash == Decimal(99_200)  # 5 x -200 / 1.25
    assert [fill.rate_stale for fill in played.journal.fills] == [False, True, True]


def test_its_own_symbol_must_be_fresh() -> None:
    played = Weekend(stop_loss="9500")
    played.quote("9800")
    played.at += 61 * SECOND
    refusal = played.act("CLOSE").refusal
    assert refusal
    assert (refusal.code, refusal.observed) == ("PRICE_STALE", "61")
    played.number += 1
    old = Batch(played.number, played.at, (Quote("BTCUSD", Decimal(9000), Decimal(9000), SATURDAY),))
    played.account = fold.catch_up(played.account, played.market, [old], played.conditions, played.journal)
    assert [order.status for order in played.account.orders.values()] == [OrderStatus.WORKING]


def test_an_entry_that_rests_waits_for_the_rate() -> None:
    played = Weekend()
    assert played.act("INCREASE", order="LIMIT", price="9900", quantity="1").status is ActionStatus.WORKING
    played.quote("9800")
    [order] = played.account.orders.values()
    assert (order.type, order.status) == (OrderType.LIMIT, OrderStatus.WORKING)


def test_a_forced_closing_takes_the_last_good_rate_and_a_verdict_names_the_ages() -> None:
    played = Weekend(a_phase_terms(daily_loss=a_limit("5")))
    played.quote("9800", "8700")
    [finding] = played.journal.findings
    assert (finding.observed, finding.floor) == (Decimal(94_800), Decimal(95_000))  # the day began with 100,000
    [mark] = finding.marks
    assert (mark["symbol"], mark["mark"], mark["quote_age_seconds"], mark["stale"]) == ("BTCUSD", "8700", 0, False)
    assert (mark["rate"], mark["rate_pairs"], mark["rate_time"]) == ("0.8", "EURUSD", FRIDAY.isoformat())
    assert (mark["rate_age_seconds"], mark["rate_stale"], mark["unrealised"]) == (72_001, True, "-5200")
    [row] = [row for row in played.journal.rows if row.facts.get("cause") == "verdict"]
    assert (row.seq, row.facts["stale_quotes"], row.facts["stale_seconds"]) == (finding.ledger_seq, "EURUSD", 72_001)
    moment = Moment(played.market, played.at, played.number)
    closed = execution.close_all(played.account, "PHASE_ENDED", moment, played.conditions, played.journal)
    assert (closed.cash, closed.positions) == (Decimal(94_800), {})


def test_a_position_shows_the_rate_s_age() -> None:
    played = Weekend()
    played.quote("9800")
    [one] = snapshot(played.account, Moment(played.market, played.at, played.number), WEEKEND, seq=1, head=b"").holdings
    assert (one.position.side, one.stale, one.quote_age_seconds) == (Side.LONG, False, 0)
    assert (one.rate.pairs, one.rate_age_seconds, one.rate_stale) == ("EURUSD", 72_000, True)
