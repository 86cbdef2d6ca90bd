"""A whole shard as it is stored, in columns, made ready for the book in one go."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

from domain.columnar.account_rows import NEVER
from domain.columnar.fixed_point import LEAST, MOST, UNITS_MAX, Columns, Flags, Ints, factors_max
from domain.columnar.limit_screen import LimitScreen, ScreenFigures, screen_limits
from domain.columnar.mark_rows import Hashes
from domain.columnar.position_groups import CONVERTED_COUNT_MAX, PositionGroup
from domain.lifecycles import ChallengeStatus
from domain.positions import Side
from domain.quotes import Market
from domain.terms import Enforcement, PhaseTerms, Policy, Slippage

MARKETS_MAX = 64
"""Accounts were last written at one of the newest batches; those of more than so many are put one by one."""

HALF_REST = 5_000_000_000


@dataclass(slots=True)
class StoredAccounts(ScreenFigures):
    """Live accounts; amounts in units, times in microseconds since 1970. Where no phase runs, its figures are 0."""

    id: Ints
    seq: Ints
    through: Ints
    marked_at: Ints  # rows.ALWAYS: never
    ledger_due_at: Ints
    unrealised: Ints
    high_watermark: Ints
    group: Ints  # place among Stored.groups
    phase_id: Ints
    challenge_id: Ints  # 0: none
    day_ends_at: Ints
    metric_due_at: Ints
    day_low: Ints
    day_high: Ints
    told: Flags  # findings or a withdrawal of today, or resting orders


@dataclass(slots=True)
class StoredPositions(Columns):
    """Open positions in order of their accounts."""

    account: Ints
    symbol: Ints  # place among Stored.symbols
    short: Flags
    quantity: Ints
    cost: Ints  # the cost basis cut to eight places,
    cost_rest: Ints  # and its other ten


@dataclass(frozen=True, slots=True)
class TermsGroup:
    """What accounts have in common."""

    currency: str
    policy: Policy
    status: ChallengeStatus | None  # of the phase
    terms: PhaseTerms | None  # None where no phase runs


@dataclass(frozen=True, slots=True)
class StoredShard:
    """A shard: accounts in order of id with their heads, their open positions, what they have in common."""

    accounts: StoredAccounts
    heads: Hashes
    positions: StoredPositions
    groups: list[TermsGroup]
    symbols: list[str]


@dataclass(frozen=True, slots=True)
class LoadedShard:
    """Rows for the book: figures by name of rows.Rows, holdings by lane with the places of their accounts."""

    ids: Ints
    heads: Hashes
    figures: dict[str, Ints | Flags]
    holdings: list[tuple[PositionGroup, Ints, dict[str, Ints]]]
    left_out: list[int]


LaneOf = Callable[[str, Side, Slippage, str], PositionGroup]


def load_shard(stored: StoredShard, markets: Mapping[int, Market], lane_of: LaneOf) -> LoadedShard:
    """Everything the book needs of those accounts that are as most are."""
    accounts = stored.accounts
    odd = accounts.told | ~np.isin(accounts.through, list(markets)) | _too_large(accounts)
    screens = _screens(stored)
    odd |= screens.odd
    opened, holdings = _held(stored, markets, lane_of, odd)
    equity = accounts.cash + accounts.unrealised
    odd |= (screens.low >= equity) | (equity >= screens.high)
    keep = np.flatnonzero(~odd)
    place = np.cumsum(~odd) - 1  # of each account among those kept
    sits = [(lane, at, ~odd[at], figures) for lane, at, figures in holdings]
    return LoadedShard(
        accounts.id[keep],
        stored.heads[keep],
        {name: column[keep] for name, column in _figures(stored, screens, opened).items()},
        [(lane, place[at[stay]], {n: c[stay] for n, c in figures.items()}) for lane, at, stay, figures in sits],
        accounts.id[odd].tolist(),
    )


def _too_large(accounts: StoredAccounts) -> Flags:
    columns = accounts.unrealised, accounts.high_watermark, accounts.day_low, accounts.day_high
    large: Flags = np.logical_or.reduce([np.abs(column) >= UNITS_MAX for column in columns])
    return large


def _screens(stored: StoredShard) -> LimitScreen:
    """The thresholds of every account, group by group."""
    accounts, answer = stored.accounts, LimitScreen.empty(stored.accounts.length)
    order = np.argsort(accounts.group, kind="stable")
    ends = np.searchsorted(accounts.group[order], np.arange(len(stored.groups) + 1))
    for n, group in enumerate(stored.groups):
        at = order[ends[n] : ends[n + 1]]
        figures = ScreenFigures(*(getattr(accounts, field.name)[at] for field in fields(ScreenFigures)))
        found = screen_limits(figures, group.policy, group.status, group.terms)
        answer.set(at, **{field.name: getattr(found, field.name) for field in fields(LimitScreen)})
    return answer


def _held(
    stored: StoredShard, markets: Mapping[int, Market], lane_of: LaneOf, odd: Flags
) -> tuple[Ints, list[tuple[PositionGroup, Ints, dict[str, Ints]]]]:
    """The profits of each account's holdings, added up, and the holdings by lane; flags whose cannot be held."""
    accounts, positions = stored.accounts, stored.positions
    at = np.searchsorted(accounts.id, positions.account)
    count = np.bincount(at, minlength=accounts.length)
    odd |= count > CONVERTED_COUNT_MAX
    odd |= count > np.array([_positions_max(group) for group in stored.groups], np.int64)[accounts.group]
    share = UNITS_MAX // np.maximum(count, 1)[at]
    cost = _round_cost(positions)
    large = (positions.quantity >= UNITS_MAX) | (positions.quantity <= 0) | (cost > share)
    odd[at[large]] = True
    fits = ~odd[at]
    opened, holdings = np.zeros(accounts.length, np.int64), []
    for lane, these in _lanes(stored, at, lane_of):
        these = these[fits[these]]
        limit = factors_max(positions.quantity[these], share[these])
        figures = {"quantity": positions.quantity[these], "cost": cost[these], "price_max": limit}
        profit, beyond = _profits(lane, accounts.through[at[these]], figures, markets)
        odd[at[these][beyond]] = True
        opened[at[these]] += profit
        holdings.append((lane, at[these], figures | {"profit": profit}))
    return opened, holdings


def _positions_max(group: TermsGroup) -> int:
    """More positions than these are a breach."""
    terms = group.terms
    if terms is None or not terms.max_positions or terms.positions.enforced is not Enforcement.BREACH:
        return MOST
    return terms.max_positions


def _round_cost(positions: StoredPositions) -> Ints:
    """round8 of the cost bases."""
    rest, whole = positions.cost_rest, positions.cost
    rounded: Ints = whole + ((rest > HALF_REST) | ((rest == HALF_REST) & (whole % 2 == 1)))
    return rounded


def _lanes(stored: StoredShard, at: Ints, lane_of: LaneOf) -> Iterator[tuple[PositionGroup, Ints]]:
    """Each lane with the places of its positions."""
    positions, group = stored.positions, stored.accounts.group[at]
    key = (group * len(stored.symbols) + positions.symbol) * 2 + positions.short
    order = np.argsort(key, kind="stable")
    keys, starts = np.unique(key[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    for one, start, end in zip(keys.tolist(), starts.tolist(), ends[: len(keys)], strict=True):
        these = order[start:end]
        rest, short = divmod(one, 2)
        its, symbol = divmod(rest, len(stored.symbols))
        of = stored.groups[its]
        side = Side.SHORT if short else Side.LONG
        yield lane_of(stored.symbols[symbol], side, of.policy.slippage, of.currency), these


def _profits(
    lane: PositionGroup, through: Ints, figures: dict[str, Ints], markets: Mapping[int, Market]
) -> tuple[Ints, Flags]:
    """What the holdings of a lane had gained at the batches their accounts were marked through."""
    profit, beyond = np.zeros(len(through), np.int64), np.ones(len(through), np.bool_)
    for batch in sorted(set(through.tolist())):
        at, market = np.flatnonzero(through == batch), markets[batch]
        if lane.is_priced(market):
            quantity, cost, limit = (figures[name][at] for name in ("quantity", "cost", "price_max"))
            profit[at], beyond[at] = lane.profits(quantity, cost, limit, market)
    return profit, beyond


def _figures(stored: StoredShard, screens: LimitScreen, opened: Ints) -> dict[str, Ints | Flags]:
    """Columns of rows.Rows."""
    accounts = stored.accounts
    runs = accounts.phase_id > 0
    names = ("id", "seq", "through", "marked_at", "ledger_due_at", "cash", "unrealised", "high_watermark",
             "challenge_id", "phase_id", "day_start_balance", "day_start_equity")  # fmt: skip
    looks = ("low", "high", "trail_gap", "trail_pct", "trail_stop", "trail_share", "low_else", "trails", "new_peak")
    held = np.zeros(accounts.length, np.bool_)
    held[np.searchsorted(accounts.id, stored.positions.account)] = True
    return {
        **{name: getattr(accounts, name) for name in names},
        **{name: getattr(screens, name) for name in looks},
        "opened": opened,
        "holds": held,
        "fresh": np.ones(accounts.length, np.bool_),
        "day_ends_at": np.where(runs, accounts.day_ends_at, NEVER),
        "metric_due_at": np.where(runs, accounts.metric_due_at, NEVER),
        "day_low": np.where(runs, accounts.day_low, LEAST),
        "day_high": np.where(runs, accounts.day_high, MOST),
        "peak_equity": np.where(runs, accounts.peak_equity, MOST),
        "peak_balance": np.where(runs, accounts.peak_balance, MOST),
    }
