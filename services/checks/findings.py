"""Checks that derive breaches again from the terms as sold, their evidence and their ledger row."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import asyncpg

from domain import limit_levels
from domain.arithmetic import DECIMAL
from domain.ledger import EPOCH
from domain.limit_levels import LevelFigures
from domain.money import ZERO, plain
from domain.positions import Position, Side
from domain.rule_table import COUNT_RULE, LEVEL_RULE, Effect, Rule
from domain.terms import Limit, PhaseTerms, Touch, limit_facts, policy_from_text, terms_from_text
from models.checks import reading
from models.sql import Connection
from services.checks.accounts import Violation

Figures = Mapping[str, Decimal]


async def breaches_can_be_derived(conn: Connection) -> list[Violation]:
    """Check that each breach's limit is as sold and that level, observation and headroom follow from its evidence."""
    found: list[Violation] = []
    async for row in reading.iterate_breaches(conn):
        subject = f"breach {row['id']} ({row['rule']})"
        found += [Violation("breaches can be derived", subject, text) for text in _faults(row)]
    return found


def _faults(row: asyncpg.Record) -> list[str]:
    """Return what is wrong with a breach, also if this version cannot read its terms or evidence."""
    try:
        return _limit(row) if row["rule"] in LEVEL_RULE else _count(row)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [f"its terms or its evidence cannot be read: {type(error).__name__}: {error}"]


def _count(row: asyncpg.Record) -> list[str]:
    """Return what is wrong with a breach of a number of days or of positions."""
    rule = COUNT_RULE.get(row["rule"])
    if rule is None or rule.effect is Effect.DELAYS:
        return ["is of a rule that ends no phase"]
    most = rule.sold(_phase(row))
    reached = most + 1 if rule.effect is Effect.LIMITS else most
    if (row["limit"], row["floor"]) != (most, most) or not most > 0 or row["observed"] < reached:
        return [f"observed {plain(row['observed'])} of {plain(row['limit'])}, sold with {rule.field} {most}"]
    return []


def _limit(row: asyncpg.Record) -> list[str]:
    """Return what is wrong with a breach of a level of money."""
    rule = LEVEL_RULE[row["rule"]]
    limit = rule.limit(_phase(row), policy_from_text(row["policy"]))
    # Evidence of the first edition lacks the axes and one figure that were added later.
    evidence = {"day_withdrawn": "0"} | limit_facts(Limit()) | json.loads(row["derivation"])
    told = []
    if any(evidence.get(name) != value for name, value in limit_facts(limit).items()):
        return ["its evidence does not name the limit that was sold"]
    figures = {name: Decimal(evidence[name]) for name in (*rule.figures, "balance", "equity")}
    derived_from = {"starting_balance": row["starting_balance"]} | figures
    level = rule.derive(limit, LevelFigures(*(derived_from.get(n, ZERO) for n in LevelFigures._fields)), DECIMAL).level
    observed = limit_levels.observed_figure(limit.measured, figures["balance"], figures["equity"])
    room = level - observed if rule.ceiling else observed - level
    if (row["floor"], row["observed"], row["headroom"]) != (level, observed, room):
        stored = ", ".join(plain(row[name]) for name in ("floor", "observed", "headroom"))
        derived = ", ".join(map(plain, (level, observed, room)))
        told.append(f"level, observation and headroom are {stored}; its evidence gives {derived}")
    ordered = row["rule"] == Rule.LIQUIDATION and evidence.get("by_hand") is True
    if not ordered and (room > 0 or (room == 0 and limit.touch is not Touch.REACHED)):
        told.append(f"was not broken: {plain(room)} were left")
    told += _marks(json.loads(row["marks"]), figures)
    if not _rests(row, figures):
        told.append(f"its balance and equity are not those of ledger seq {row['ledger_seq']}")
    return told


def _marks(marks: Sequence[Mapping[str, str]], figures: Figures) -> list[str]:
    """Return how the open positions of the evidence differ from its equity; breaches of the first edition name none."""
    opened = [_opened(mark) for mark in marks]
    kept, total = [Decimal(mark["unrealised"]) for mark in marks], figures["equity"] - figures["balance"]
    if not marks or (opened == kept and sum(opened) == total):
        return []
    given = ", ".join(map(plain, opened))
    return [f"its open profit is {plain(total)}; prices and rates of its positions give {given}"]


def _opened(mark: Mapping[str, str]) -> Decimal:
    """Return the open profit of a position of the evidence, computed again."""
    quantity, cost = Decimal(mark["quantity"]), Decimal(mark["cost_basis"])
    position = Position(0, mark["symbol"], Side(mark["side"]), EPOCH, quantity, cost)
    return position.unrealised(Decimal(mark["mark"]), Decimal(mark["rate"]))


def _rests(row: asyncpg.Record, figures: Figures) -> bool:
    """Return whether balance and equity are in the ledger row that the breach rests on."""
    equity = row["ledger_equity"]
    return equity is not None and (row["ledger_balance"], Decimal(equity)) == (figures["balance"], figures["equity"])


def _phase(row: asyncpg.Record) -> PhaseTerms:
    return terms_from_text(row["terms"]).phase(row["phase_index"])
