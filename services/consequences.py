"""Consequences of findings and verdicts: the moves, events and jobs that they lead to, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.accounts import Finding, Journal, Verdict
from domain.ledger import Facts
from domain.lifecycles import AccountStatus, ChallengeStatus
from domain.money import plain
from domain.terms import Consequence
from models.challenges import ChallengeMove, PhaseMove
from models.jobs import NewJob
from services.unit_of_work.locked_account import LockedAccount

NOTICES = {
    Consequence.WARN: "prop.challenge.warning",
    Consequence.PAUSE_DAY: "prop.challenge.paused",
    Consequence.CLOSE_DAY: "prop.challenge.paused",
}


class Notice(NamedTuple):
    """An event before it has a time."""

    name: str
    brand: str
    challenge_id: int
    facts: Facts


@dataclass(slots=True)
class Moves:
    """Changes of status, to be written together."""

    phases: list[PhaseMove] = field(default_factory=list)
    challenges: list[ChallengeMove] = field(default_factory=list)


@dataclass(slots=True)
class Consequences:
    """The consequences of a journal, written in the same transaction."""

    moves: Moves = field(default_factory=Moves)
    notices: list[Notice] = field(default_factory=list)
    jobs: list[NewJob] = field(default_factory=list)


def consequences_of(journal: Journal, accounts: Mapping[int, LockedAccount]) -> Consequences:
    """Return what the journal's findings, warnings, verdicts and liquidations lead to."""
    led_to = Consequences()
    failures = {one.phase_id: one for one in journal.findings if one.consequence == Consequence.FAIL}
    for finding in journal.findings:
        locked = accounts[finding.account_id]
        if finding.consequence != Consequence.FAIL:
            name = NOTICES[Consequence(finding.consequence)]
            led_to.notices.append(_notice(locked, name, finding, {"consequence": finding.consequence}))
        if finding.consequence == Consequence.CLOSE_DAY:
            through: Facts = {"through": finding.ledger_seq}
            led_to.jobs.append(
                NewJob(locked.account.brand, "close_day", finding.challenge_id, finding.account_id, through)
            )
    for warning in journal.warnings:
        share: Facts = {"share": warning.derivation["share"]}
        led_to.notices.append(_notice(accounts[warning.account_id], NOTICES[Consequence.WARN], warning, share))
    for verdict in journal.verdicts:
        _end(led_to, accounts[verdict.account_id], verdict, failures.get(verdict.phase_id))
    for account_id in journal.liquidations:
        end: Facts = {"end": AccountStatus.LIQUIDATED.value}
        led_to.jobs.append(NewJob(accounts[account_id].account.brand, "close_account", None, account_id, end))
    return led_to


def _facts(finding: Finding) -> Facts:
    return {
        "rule": finding.rule,
        "limit": plain(finding.limit),
        "floor": plain(finding.floor),
        "observed": plain(finding.observed),
        "day": finding.day,
        "batch": finding.batch,
        "ledger_seq": finding.ledger_seq,
    }


def _notice(locked: LockedAccount, name: str, cause: Finding | Verdict, facts: Facts) -> Notice:
    of_account: Facts = {"account": locked.account.id, "phase_index": locked.stored.phase_index}
    of_cause = _facts(cause) if isinstance(cause, Finding) else {}
    return Notice(name, locked.account.brand, cause.challenge_id, of_account | of_cause | facts)


def _end(led_to: Consequences, locked: LockedAccount, verdict: Verdict, failure: Finding | None) -> None:
    at, rule, is_failed = verdict.market_time, verdict.rule, verdict.status is ChallengeStatus.FAILED
    terms = locked.stored.terms
    assert terms and locked.stored.phase_index, "a verdict is of a phase with terms"
    led_to.moves.phases.append(PhaseMove(verdict.phase_id, verdict.status, at, rule))
    if is_failed or locked.stored.phase_index == len(terms.phases):
        led_to.moves.challenges.append(ChallengeMove(verdict.challenge_id, verdict.status, at, rule))
        name = "prop.challenge.failed" if is_failed else "prop.challenge.passed"
        facts: Facts = {} if failure else {"rule": rule, "batch": verdict.batch}
        led_to.notices.append(_notice(locked, name, failure or verdict, facts))
    job = NewJob(locked.account.brand, "close_account", verdict.challenge_id, verdict.account_id, {})
    led_to.jobs.append(job)
