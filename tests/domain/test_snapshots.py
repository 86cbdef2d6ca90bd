"""An account at a market: what it holds, what that is worth, how much of its margin is taken."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings

from domain.accounts import Account
from domain.holdings import age_seconds
from domain.positions import Side
from domain.snapshots import Snapshot, snapshot
from domain.terms import PhaseTerms, Slippage
from domain.valuation import gross_notional
from tests.domain.builders import NOON, a_policy, an_account
from tests.domain.desk_builders import CATALOGUE, a_holding, a_market, a_moment, holding, priced, traders

MARKET = a_market() | {"EURUSD": priced("EURUSD", "1.2"), "GBPUSD": priced("GBPUSD", "1.5")}


def at_noon(account: Account) -> Snapshot:
    return snapshot(account, a_moment(MARKET), CATALOGUE, seq=account.seq, head=account.head)


def amounts(*figures: object) -> list[object]:
    """As what they are compared with: amounts that are whole."""
    return list(figures)


def a_trader(**changes: object) -> Account:
    """Long 10,000 EURUSD bought at 1.10005, short 4,000 GBPUSD sold at 1.30005, now at 1.2 and 1.5."""
    account = an_account(marked_through=1, seq=9, **changes)
    held = (a_holding("EURUSD", Side.LONG, "10000"), a_holding("GBPUSD", Side.SHORT, "4000"))
    return holding(account, *held, market=MARKET)


def test_a_flat_account_has_its_balances_and_no_exposure() -> None:
    now = at_noon(an_account(marked_through=1))
    assert now.holdings == ()
    assert amounts(now.exposure.gross, now.exposure.net, now.leverage_used) == [0, 0, 0]
    assert amounts(now.margin_used, now.margin_free, now.marked_through) == [0, 100_000, 1]


def test_long_and_short_add_up_to_gross_and_net_out() -> None:
    now = at_noon(a_trader())
    exposure = now.exposure
    assert amounts(exposure.long, exposure.short, exposure.gross, exposure.net) == [12_000, 6_000, 18_000, 6_000]
    unrealised = Decimal("999.5") - Decimal("799.8")
    assert now.account.unrealised == unrealised
    assert now.leverage_used == (Decimal(18_000) / (100_000 + unrealised)).quantize(Decimal("1e-8"))
    assert amounts(now.margin_used, now.margin_free) == [3_600, 96_400]


def test_free_margin_is_of_the_lower_of_balance_and_equity() -> None:
    fallen = at_noon(replace(a_trader(), unrealised=Decimal(-5_000)))
    assert fallen.margin_free == 95_000 - 3_600
    lost = at_noon(replace(a_trader(), unrealised=Decimal(-99_000)))
    assert lost.margin_free == 1_000 - 3_600


def test_there_is_no_leverage_to_name_where_no_equity_carries_the_exposure() -> None:
    assert at_noon(replace(a_trader(), unrealised=Decimal(-100_000))).leverage_used is None
    assert at_noon(an_account(cash=Decimal(0))).leverage_used == 0


def test_a_holding_shows_its_entry_its_mark_and_the_age_of_its_quote() -> None:
    [long, short] = at_noon(a_trader()).holdings
    assert (long.position.symbol, long.average_entry, long.mark, long.unrealised, long.notional) == (
        "EURUSD", Decimal("1.10005"), Decimal("1.2"), Decimal("999.5"), Decimal(12_000),
    )  # fmt: skip
    assert (short.position.side, short.mark, short.unrealised) == (Side.SHORT, Decimal("1.5"), Decimal("-799.8"))
    assert (long.quote_time, long.quote_age_seconds, long.stale) == (NOON, 0, False)


def test_a_quote_is_stale_once_it_is_older_than_the_policy_allows() -> None:
    account = a_trader(policy=a_policy(quote_age_seconds_max=60))
    for seconds, stale in ((60, False), (61, True)):
        moment = a_moment(MARKET, NOON + timedelta(seconds=seconds))
        [long, _] = snapshot(account, moment, CATALOGUE, seq=1, head=b"").holdings
        assert (long.quote_age_seconds, long.stale) == (seconds, stale)


def test_a_quote_from_a_clock_that_runs_ahead_is_of_now() -> None:
    assert age_seconds(NOON + timedelta(seconds=3), NOON) == 0
    assert age_seconds(NOON, NOON + timedelta(milliseconds=1_999)) == 1


def test_a_short_is_marked_at_the_ask_where_slippage_is_bid_ask() -> None:
    market = a_market()
    account = holding(an_account(policy=a_policy(slippage=Slippage.BID_ASK)), a_holding("EURUSD", Side.SHORT, "1000"))
    [short] = snapshot(account, a_moment(market), CATALOGUE, seq=1, head=b"").holdings
    assert short.mark == market["EURUSD"].ask


@settings(max_examples=100)
@given(traders())
def test_holdings_add_up_to_the_account(trader: tuple[Account, PhaseTerms | None]) -> None:
    account = trader[0]
    now = snapshot(account, a_moment(), CATALOGUE, seq=1, head=b"")
    assert sum(one.unrealised for one in now.holdings) == account.unrealised
    assert now.exposure.gross == gross_notional(account, a_moment().market, CATALOGUE)
    assert abs(now.exposure.net) <= now.exposure.gross


def test_the_version_is_the_written_one() -> None:
    now = snapshot(a_trader(), a_moment(MARKET), CATALOGUE, seq=4, head=b"four")
    assert (now.seq, now.head) == (4, b"four")
