"""An account's share of stored refusals: no more of a day are stored, and the rest is counted."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import Account, Journal
from domain.execution import submit
from domain.frozen import replace
from domain.ledger import Kind
from domain.lifecycles import AccountStatus, ChallengeStatus
from domain.orders import Action
from domain.refusals import Refusals, counted
from tests.domain.builders import NOON, a_phase_terms, a_policy, an_account, an_action
from tests.domain.desk_builders import a_market, a_moment, conditions, deposited, started

HOURS = st.lists(st.integers(0, 72), min_size=1, max_size=60).map(sorted)


@given(HOURS, st.integers(1, 5))
def test_of_each_day_the_first_are_stored_and_the_others_counted(hours: list[int], share: int) -> None:
    day, stored, came = None, Counter[int](), Counter[int]()
    for seq, hour in enumerate(hours, 2):
        at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=hour)
        came[hour // 24] += 1
        day, is_stored = counted(day, seq, at, None, share)
        stored[hour // 24] += is_stored
        assert day.stored == stored[hour // 24] == min(share, came[hour // 24])
        assert day.stored + day.beyond == came[hour // 24]


def refused(account: Account, count: int, share: int, at: datetime = NOON) -> tuple[Account, list[int | None], Journal]:
    """An account that was asked so often to close what is not open."""
    journal, actions = Journal(), [an_action(action="CLOSE", quantity=None, action_id=f"c{n}") for n in range(count)]
    moment = a_moment(a_market(at), at)
    terms = a_phase_terms() if account.phase else None
    account, results = submit(account, actions, {}, moment, conditions(terms, stored_refusals_max=share), journal)
    assert {result.refusal and result.refusal.code for result in results} == {"NO_POSITION"}
    return account, [result.seq for result in results], journal


def test_what_is_beyond_the_share_is_answered_and_leaves_its_count_alone() -> None:
    begun = deposited(an_account(policy=a_policy()))[0]
    account, seqs, journal = refused(begun, 5, 2)
    assert seqs == [2, 3, None, None, None]
    assert [row.kind for row in journal.rows] == [Kind.ACTION_REJECTED] * 2
    assert [action.seq for action in journal.actions] == [2, 3]
    midnight = NOON.replace(hour=0) + timedelta(days=1)
    assert account.refusals == Refusals(midnight, since=2, stored=2, beyond=3)
    assert refused(account, 1, 2, midnight - timedelta(seconds=1))[1] == [None]
    account, seqs, _ = refused(account, 1, 2, midnight)
    assert seqs == [4]
    assert account.refusals == Refusals(midnight + timedelta(days=1), since=4, stored=1)


def test_the_day_of_a_running_phase_is_its_trading_day() -> None:
    begun, _ = started(a_phase_terms())
    assert begun.phase
    ends_at = NOON + timedelta(hours=5)
    begun = replace(begun, phase=replace(begun.phase, day_ends_at=ends_at))
    account, _, _ = refused(begun, 1, 1)
    assert account.refusals
    assert account.refusals.ends_at == ends_at


def test_an_id_beyond_the_share_is_judged_anew() -> None:
    begun = deposited(an_account(policy=a_policy()))[0]
    account, _, _ = refused(begun, 2, 1)
    action = an_action(action_id="c1")
    _, [result] = submit(account, [action], {}, a_moment(), conditions(), Journal())
    assert (result.refusal, result.replayed) == (None, False)


def _ended(account: Account) -> Account:
    assert account.phase
    return replace(account, read_only=True, phase=replace(account.phase, status=ChallengeStatus.FAILED))


RUNNING = started(a_phase_terms())[0]
PLAIN = deposited(an_account(policy=a_policy()))[0]
WITHOUT_A_TRACE = {
    "no number": (PLAIN, an_action(quantity="NaN")),
    "no size": (PLAIN, an_action(quantity=None)),
    "two sizes": (PLAIN, an_action(fraction="1")),
    "a negative price": (PLAIN, an_action(order="LIMIT", price="-1")),
    "not opened": (replace(PLAIN, status=AccountStatus.PENDING), an_action()),
    "completed": (replace(PLAIN, status=AccountStatus.COMPLETED, read_only=True), an_action()),
    "liquidated": (replace(PLAIN, status=AccountStatus.LIQUIDATED, read_only=True), an_action()),
    "phase failed": (_ended(RUNNING), an_action()),
}
RECORDED = {
    "HOLD": (PLAIN, an_action(action="HOLD")),
    "CANCEL": (PLAIN, an_action(action="CANCEL")),
    "paused": (replace(PLAIN, status=AccountStatus.PAUSED), an_action()),
    "blocked": (replace(PLAIN, blocked_until=NOON + timedelta(hours=1)), an_action()),
    "too large": (PLAIN, an_action(quantity="1000000000")),
    "not within the step": (PLAIN, an_action(quantity="1000.005")),
    "nothing to close": (PLAIN, an_action(action="CLOSE")),
}


@pytest.mark.parametrize(("account", "action"), WITHOUT_A_TRACE.values(), ids=WITHOUT_A_TRACE)
def test_what_no_gate_of_substance_can_judge_leaves_no_trace(account: Account, action: Action) -> None:
    journal, terms = Journal(), a_phase_terms() if account.phase else None
    after, [result] = submit(account, [action], {}, a_moment(), conditions(terms), journal)
    assert result.refusal
    assert (result.seq, result.status, result.market_time) == (None, "REJECTED", NOON)
    assert (after, journal) == (account, Journal())


@pytest.mark.parametrize(("account", "action"), RECORDED.values(), ids=RECORDED)
def test_what_a_gate_of_substance_refused_is_recorded(account: Account, action: Action) -> None:
    journal = Journal()
    after, [result] = submit(account, [action], {}, a_moment(), conditions(), journal)
    assert result.refusal
    assert (result.seq, after.refusals and after.refusals.stored) == (account.seq + 1, 1)
    assert [row.kind for row in journal.rows] == [Kind.ACTION_REJECTED]
    assert journal.actions == [result]
