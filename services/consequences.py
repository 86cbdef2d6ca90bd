"""What a fold's findings and verdicts mean for the challenge: moves, events, and the jobs they leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.accounts import Finding, Verdict
from domain.ledger import Facts
from domain.lifecycles import AccountStatus, ChallengeStatus
from domain.money import plain
from domain.terms import Consequence
from models.challenges import ChallengeMove, PhaseMove

if TYPE_CHECKING:
    from services.unit_of_work import Unit

NOTICES = {
    Consequence.WARN: "prop.challenge.warning",
    Consequence.PAUSE_DAY: "prop.challenge.paused",
    Consequence.CLOSE_DAY: "prop.challenge.paused",
}


@dataclass(slots=True)
class Moves:
    phases: list[PhaseMove] = field(default_factory=list)
    challenges: list[ChallengeMove] = field(default_factory=list)


def settle(work: Unit) -> None:
    """Turn the journal's findings and verdicts into moves, events and jobs of the same transaction."""
    failures: dict[int, Finding] = {}
    for finding in work.journal.findings:
        if finding.consequence == Consequence.FAIL:
            failures[finding.phase_id] = finding
        else:
            _tell(
                work,
                NOTICES[Consequence(finding.consequence)],
                finding.account_id,
                finding.challenge_id,
                _facts(finding) | {"consequence": finding.consequence},
            )
        if finding.consequence == Consequence.CLOSE_DAY:
            work.owe(
                "close_day",
                brand=work.held[finding.account_id].account.brand,
                challenge_id=finding.challenge_id,
                account_id=finding.account_id,
                facts={"through": finding.ledger_seq},
            )
    for warning in work.journal.warnings:
        facts = _facts(warning) | {"share": warning.derivation["share"]}
        _tell(work, NOTICES[Consequence.WARN], warning.account_id, warning.challenge_id, facts)
    for verdict in work.journal.verdicts:
        _end(work, verdict, failures.get(verdict.phase_id))
    for account_id in work.journal.liquidations:
        brand = work.held[account_id].account.brand
        work.owe("close_account", brand=brand, account_id=account_id, facts={"end": AccountStatus.LIQUIDATED.value})


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


def _tell(work: Unit, name: str, account_id: int, challenge_id: int, facts: Facts) -> None:
    held = work.held[account_id]
    told: Facts = {"account": account_id, "phase_index": held.stored.phase_index} | facts
    work.emit(name, brand=held.account.brand, challenge_id=challenge_id, payload=told)


def _end(work: Unit, verdict: Verdict, failure: Finding | None) -> None:
    held = work.held[verdict.account_id]
    at, rule, failed = verdict.market_time, verdict.rule, verdict.status is ChallengeStatus.FAILED
    terms = held.stored.terms
    assert terms and held.stored.phase_index, "a verdict is of a phase with terms"
    last = held.stored.phase_index == len(terms.phases)
    work.moves.phases.append(PhaseMove(verdict.phase_id, verdict.status, at, rule))
    if failed or last:
        work.moves.challenges.append(ChallengeMove(verdict.challenge_id, verdict.status, at, rule))
        name = "prop.challenge.failed" if failed else "prop.challenge.passed"
        facts = _facts(failure) if failure else {"rule": rule, "batch": verdict.batch}
        _tell(work, name, verdict.account_id, verdict.challenge_id, facts)
    work.owe(
        "close_account",
        brand=held.account.brand,
        challenge_id=verdict.challenge_id,
        account_id=verdict.account_id,
    )
