"""Verdicts: the findings of a mark with their evidence, the end of a phase, a liquidation."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain import days, rules, working_orders
from domain.accounts import Account, Finding, Journal, Verdict
from domain.calendar import Calendar
from domain.frozen import replace
from domain.holdings import holdings, stale_facts
from domain.instruments import Catalogue
from domain.ledger import Facts, Kind
from domain.lifecycles import ChallengeStatus
from domain.money import plain
from domain.quotes import Market
from domain.refusals import STORED_MAX
from domain.rule_table import Rule, run_of
from domain.terms import Consequence, PhaseTerms


@dataclass(frozen=True, slots=True)
class Conditions:
    """The fold's inputs besides account and quotes. `terms` is None without a running phase."""

    catalogue: Catalogue
    mark_ledger_interval: timedelta
    calendar: Calendar | None = None
    terms: PhaseTerms | None = None
    stored_refusals_max: int = STORED_MAX  # of one account on one day


def judge_account(
    account: Account, market: Market, conditions: Conditions, journal: Journal, at: datetime | None = None
) -> Account:
    """Judge an account marked at the market by its phase's rules; a failure beats a pass at the same batch.

    `at` is the market time of what is judged where that is later than the mark: a fill on its quotes.
    """
    phase, terms, at, batch = account.phase, conditions.terms, at or account.marked_at, account.marked_through
    assert at, "the account has been marked"
    if phase is None:
        return _liquidate(account, market, conditions.catalogue, at, journal)
    if not phase.running:
        return account
    assert terms, "a running phase has terms"
    if rules.is_between(account, terms) and not rules.has_too_many_positions(account, terms):
        return _warn(account, rules.warn(account, terms, batch, at), journal) if terms.warn_at else account
    findings = rules.judge(account, terms, batch, at)
    passes = rules.passes(account, terms)
    if findings or passes:
        account, marks = write_mark(account, market, conditions.catalogue, at, journal)
        account = apply(account, findings, marks, journal)
        if not run_of(account).running:
            return account
    if passes:
        return finish_passed(account, Rule.PROFIT_TARGET, at, journal)
    return _warn(account, rules.warn(account, terms, batch, at), journal)


def _warn(account: Account, due: list[Finding], journal: Journal) -> Account:
    """Tell early warnings, each once a day; nothing else follows from them."""
    for finding in due:
        phase, share = account.phase, finding.derivation["share"]
        assert phase, "a warning is of a phase"
        told = phase.day_findings | {rules.warning_name(finding.rule, share)}
        facts = finding_facts(finding) | {"share": share}
        account = journal.append(
            account,
            Kind.WARNING,
            finding.market_time,
            finding.batch,
            facts,
            phase=replace(phase, day_findings=told),
        )
        journal.warnings.append(replace(finding, ledger_seq=account.seq, ledger_hash=account.head))
    return account


def write_mark(
    account: Account, market: Market, catalogue: Catalogue, at: datetime, journal: Journal
) -> tuple[Account, tuple[Facts, ...]]:
    """Write the mark that a verdict rests on; return it with the evidence of each open position."""
    every = holdings(account, market, at, catalogue)
    facts = days.mark_facts(account, "verdict") | stale_facts(every)
    account = journal.append(account, Kind.MARK_TO_MARKET, at, account.marked_through, facts)
    return account, tuple(one.facts for one in every)


def liquidate_by_hand(
    account: Account, market: Market, catalogue: Catalogue, why: Facts, at: datetime, journal: Journal
) -> Account:
    """Fail the running phase by the rule LIQUIDATION, at the account's newest mark."""
    account, marks = write_mark(account, market, catalogue, at, journal)
    finding = rules.liquidation_by_hand(account, why, account.marked_through, at)
    return apply(account, [finding], marks, journal)


def _liquidate(account: Account, market: Market, catalogue: Catalogue, at: datetime, journal: Journal) -> Account:
    """Outside a challenge there is only the policy's level: an account that falls to it becomes read-only, once.

    Its orders are cancelled, and its holdings closed at fresh quotes, as after a failed phase.
    """
    level = rules.liquidation_bound(account)
    if account.read_only or not level.limit.configured or not level.hit(account.equity):
        return account
    batch = account.marked_through
    account, _ = write_mark(account, market, catalogue, at, journal)
    facts: Facts = {
        "rule": level.rule,
        "consequence": level.limit.consequence,
        "limit": plain(level.limit.pct),
        "floor": plain(level.level),
        "observed": plain(account.equity),
        "rests_on_seq": account.seq,
    }
    journal.liquidations.append(account.id)
    account = journal.append(account, Kind.FINDING, at, batch, facts, read_only=True)
    return working_orders.cancel(account, None, "LIQUIDATION", at, batch, journal)


def apply(account: Account, findings: list[Finding], marks: tuple[Facts, ...], journal: Journal) -> Account:
    """Write the findings and their consequences, what fails last; the first failure ends the phase.

    They rest on the ledger's last row; `marks` is the evidence of the open positions.
    """
    seq, head = account.seq, account.head
    for finding in sorted(findings, key=lambda one: one.consequence == Consequence.FAIL):
        phase = account.phase
        assert phase, "a finding is of a phase"
        finding = replace(finding, ledger_seq=seq, ledger_hash=head, marks=marks)
        journal.findings.append(finding)
        if finding.consequence == Consequence.FAIL:
            return _fail(account, finding, journal)
        consequence = Consequence(finding.consequence)
        account = journal.append(
            account,
            Kind.FINDING,
            finding.market_time,
            finding.batch,
            finding_facts(finding),
            blocked_until=phase.day_ends_at if consequence.blocks else account.blocked_until,
            phase=replace(phase, day_findings=phase.day_findings | {finding.rule}),
        )
        if consequence is Consequence.CLOSE_DAY:
            account = working_orders.cancel(account, None, "CLOSE_DAY", finding.market_time, finding.batch, journal)
    return account


def finding_facts(finding: Finding) -> Facts:
    return {
        "rule": finding.rule,
        "consequence": finding.consequence,
        "day": finding.day,
        "limit": plain(finding.limit),
        "floor": plain(finding.floor),
        "observed": plain(finding.observed),
    }


def _fail(account: Account, finding: Finding, journal: Journal) -> Account:
    facts = finding_facts(finding) | {"rests_on_seq": finding.ledger_seq}
    return _finish(
        account, ChallengeStatus.FAILED, finding.rule, Kind.PHASE_FAILED, facts, finding.market_time, journal
    )


def finish_passed(account: Account, rule: str, at: datetime, journal: Journal) -> Account:
    facts: Facts = {"rule": rule, "balance": plain(account.cash), "equity": plain(account.equity)}
    return _finish(account, ChallengeStatus.PASSED, rule, Kind.PHASE_PASSED, facts, at, journal)


def _finish(
    account: Account, status: ChallengeStatus, rule: str, kind: Kind, facts: Facts, at: datetime, journal: Journal
) -> Account:
    """End the phase: the account becomes read-only, its orders go, its last day and a metric are written."""
    phase, batch = account.phase, account.marked_through
    assert phase, "only a phase ends"
    account = days.finish(account, at, batch, journal)
    journal.verdicts.append(Verdict(phase.id, phase.challenge_id, account.id, status, rule, at, batch))
    assert account.phase
    ended = replace(account.phase, status=status)
    account = journal.append(account, kind, at, batch, facts, read_only=True, phase=ended)
    return working_orders.cancel(account, None, "PHASE_ENDED", at, batch, journal)
