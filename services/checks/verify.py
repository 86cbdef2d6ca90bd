"""`propdesk verify`: a list of checks, each named by what must be true; violations are returned as values.

Everything is read in one snapshot, so the desk may go on working. Checks of sets are SQL statements in `models`;
accounts and breaches are computed again from what is stored, by the functions that made them.
"""

from collections.abc import Awaitable, Callable, Sequence

from models import system
from models.checks import challenges, desk, money, orders, reading, trading
from models.sql import Connection
from services.checks.accounts import (
    Violation,
    accounts_can_be_read,
    ledgers_are_intact,
    marks_are_exact,
    no_account_is_in_quarantine,
    positions_are_their_fills,
)
from services.checks.audits import audits_are_intact
from services.checks.findings import breaches_can_be_derived
from services.checks.slices import slices_sum_to_the_whole
from services.unit_of_work.reads import read_snapshot

__all__ = ["Violation", "check_books", "check_within", "count_rows", "record_violations"]

ACCOUNTS_AT_ONCE = 200

OF_SETS: tuple[Callable[[Connection], Awaitable[reading.Rows]], ...] = (
    desk.amounts_are_numbers,
    desk.brands_never_mix,
    desk.rows_have_their_objects,
    desk.batches_are_dense,
    desk.latest_quotes_are_the_newest,
    desk.accounts_are_marked_within_the_batches,
    desk.events_are_dense,
    money.transfers_pair_up,
    money.transfers_stay_among_their_money,
    money.wallets_sum_their_transfers,
    money.house_accounts_sum_their_transfers,
    money.real_money_sums_to_zero,
    money.synthetic_money_sums_to_results,
    money.reservations_match_pending_purchases,
    money.purchases_paid_their_fee,
    money.external_purchases_are_paid_first,
    money.fees_return_with_the_first_payout,
    money.payouts_follow_the_split,
    money.payouts_moved_what_they_say,
    money.payouts_are_held_until_paid,
    money.payouts_reached_their_clients,
    trading.accounts_have_balances,
    trading.cash_is_accounted_for,
    trading.accounts_are_marked_while_they_must_be,
    orders.fills_have_one_order,
    trading.fills_have_one_ledger_row,
    trading.positions_are_open_once,
    trading.nothing_is_traded_after_an_end,
    trading.ended_accounts_have_a_closing_job,
    trading.actions_name_their_orders,
    trading.refusals_are_counted,
    orders.working_orders_are_on_live_accounts,
    orders.ended_orders_have_a_reason,
    orders.amended_orders_have_their_origin,
    orders.voids_have_a_correction,
    orders.locks_remember_their_status,
    challenges.terms_bear_their_hash,
    challenges.purchases_have_one_live_challenge,
    challenges.challenges_have_one_active_phase,
    challenges.phases_run_in_order,
    challenges.challenges_agree_with_their_phases,
    challenges.challenges_point_at_their_phase,
    challenges.phases_begin_with_what_was_sold,
    challenges.failed_phases_have_one_breach,
    challenges.reinstatements_have_their_run,
    challenges.breaches_rest_on_the_ledger,
    challenges.days_are_dense,
    challenges.ended_phases_have_a_job,
)
OF_ACCOUNTS: tuple[Callable[[Connection, Sequence[int]], Awaitable[list[Violation]]], ...] = (
    accounts_can_be_read,
    no_account_is_in_quarantine,
    ledgers_are_intact,
    positions_are_their_fills,
    slices_sum_to_the_whole,
    marks_are_exact,
)
STEPS = len(OF_SETS) + 2  # of progress before the accounts: the sets, the breaches, the audit
CHECKS = STEPS + len(OF_ACCOUNTS)

UNREADABLE = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)

Report = Callable[[str, int], None]
"""Called with the current check and the number of finished steps: one per check, and one per account."""


async def check_books(report_progress: Report | None = None) -> list[Violation]:
    """Run every check and return the violations, none if the books are right."""
    async with read_snapshot() as conn:
        return await check_within(conn, report_progress)


async def record_violations(conn: Connection, violations: Sequence[Violation]) -> None:
    """Store the number of violations for readiness and metrics; the checks themselves may have read a standby."""
    await system.write_book_check(conn, len(violations))


async def check_within(conn: Connection, report_progress: Report | None = None) -> list[Violation]:
    """Run every check in a transaction of the caller's and return the violations."""
    report = report_progress or (lambda doing, done: None)
    found: list[Violation] = []
    for done, holds in enumerate(OF_SETS):
        report(name := _name(holds), done)
        found += [Violation(name, row["subject"], row["message"]) for row in await holds(conn)]
    report("breaches", len(OF_SETS))
    found += await _computed(breaches_can_be_derived, "breaches", breaches_can_be_derived(conn))
    report("audit", len(OF_SETS) + 1)
    found += await _computed(audits_are_intact, "audit", audits_are_intact(conn))
    return found + await _accounts(conn, report)


async def _accounts(conn: Connection, report: Report) -> list[Violation]:
    """Yield the accounts in portions, so that memory does not grow with the desk."""
    found: list[Violation] = []
    done, last = STEPS, 0
    while ids := await reading.next_account_ids(conn, last, ACCOUNTS_AT_ONCE):
        report(f"accounts from {ids[0]}", done)
        for holds in OF_ACCOUNTS:
            found += await _each(holds, conn, ids)
        done, last = done + len(ids), ids[-1]
    return found


async def _each(
    holds: Callable[[Connection, Sequence[int]], Awaitable[list[Violation]]], conn: Connection, ids: Sequence[int]
) -> list[Violation]:
    """Return the violations of a check in the accounts; an account that cannot be read is a violation, and the rest are
    checked.
    """
    if len(ids) == 1:
        return await _computed(holds, f"account {ids[0]}", holds(conn, ids))
    try:
        return await holds(conn, ids)
    except UNREADABLE:
        return [violation for one in ids for violation in await _each(holds, conn, [one])]


async def _computed(
    holds: Callable[..., Awaitable[list[Violation]]], subject: str, computing: Awaitable[list[Violation]]
) -> list[Violation]:
    """Return the violations of a check; stored data that cannot be read is a violation."""
    try:
        return await computing
    except UNREADABLE as error:
        return [Violation(_name(holds), subject, f"cannot be computed: {type(error).__name__}: {error}")]


def _name(holds: Callable[..., object]) -> str:
    return holds.__name__.replace("_", " ")


async def count_rows() -> dict[str, int]:
    """Return how much there is to check: accounts, ledger_rows, fills, challenges, transfers, batches,
    forgotten_batches, events.
    """
    async with read_snapshot() as conn:
        return dict(await reading.row_counts(conn))
