"""Loading a whole shard from stored columns at once."""

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
"""Batches for which the market is rebuilt. Accounts last marked at another batch are loaded one by one."""

HALF_REST = 5_000_000_000


@dataclass(slots=True)
class StoredAccounts(ScreenFigures):
    """Live accounts as stored. Amounts in units of 1e-8, times in microseconds since 1970; 0 where no phase runs."""

    id: Ints
    seq: Ints
    through: Ints
    marked_at: Ints  # account_rows.ALWAYS: not marked yet
    ledger_due_at: Ints
    unrealised: Ints
    high_watermark: Ints
    group: Ints  # index into StoredShard.groups
    phase_id: Ints
    challenge_id: Ints  # 0: none
    day_ends_at: Ints
    metric_due_at: Ints
    day_low: Ints
    day_high: Ints
    needs_single_load: Flags  # it has findings or a withdrawal of today, or working orders


@dataclass(slots=True)
class StoredPositions(Columns):
    """Open positions, ordered by account."""

    account: Ints
    symbol: Ints  # index into StoredShard.symbols
    short: Flags
    quantity: Ints
    cost: Ints  # the cost basis, truncated to eight decimal places
    cost_rest: Ints  # its remaining ten decimal places


@dataclass(frozen=True, slots=True)
class TermsGroup:
    """The terms that many accounts share."""

    currency: str
    policy: Policy
    status: ChallengeStatus | None  # of the phase
    terms: PhaseTerms | None  # None where no phase runs


@dataclass(frozen=True, slots=True)
class StoredShard:
    """A shard as stored: accounts by id with their ledger heads, their open positions, the terms they share."""

    accounts: StoredAccounts
    heads: Hashes
    positions: StoredPositions
    groups: list[TermsGroup]
    symbols: list[str]


@dataclass(frozen=True, slots=True)
class LoadedShard:
    """The input of `AccountShard.fill`: account figures by name, and positions by group with account indexes."""

    ids: Ints
    heads: Hashes
    figures: dict[str, Ints | Flags]
    holdings: list[tuple[PositionGroup, Ints, dict[str, Ints]]]
    left_out: list[int]


GroupOf = Callable[[str, Side, Slippage, str], PositionGroup]


def load_shard(stored: StoredShard, markets: Mapping[int, Market], group_of: GroupOf) -> LoadedShard:
    """Return the rows of all accounts that columns can hold; `left_out` names the others."""
    accounts = stored.accounts
    needs_fold = accounts.needs_single_load | ~np.isin(accounts.through, list(markets)) | _too_large(accounts)
    screens = _screens(stored)
    needs_fold |= screens.needs_fold
    open_profit, holdings = _holdings(stored, markets, group_of, needs_fold)
    equity = accounts.cash + accounts.unrealised
    needs_fold |= (screens.low >= equity) | (equity >= screens.high)
    keep = np.flatnonzero(~needs_fold)
    place = np.cumsum(~needs_fold) - 1  # of each account among those kept
    kept = [(position_group, at, ~needs_fold[at], figures) for position_group, at, figures in holdings]
    return LoadedShard(
        accounts.id[keep],
        stored.heads[keep],
        {name: column[keep] for name, column in _figures(stored, screens, open_profit).items()},
        [
            (position_group, place[at[stay]], {n: c[stay] for n, c in figures.items()})
            for position_group, at, stay, figures in kept
        ],
        accounts.id[needs_fold].tolist(),
    )


def _too_large(accounts: StoredAccounts) -> Flags:
    columns = accounts.unrealised, accounts.high_watermark, accounts.day_low, accounts.day_high
    large: Flags = np.logical_or.reduce([np.abs(column) >= UNITS_MAX for column in columns])
    return large


def _screens(stored: StoredShard) -> LimitScreen:
    """Return the thresholds of every account, one group of shared terms after the other."""
    accounts, answer = stored.accounts, LimitScreen.empty(stored.accounts.length)
    order = np.argsort(accounts.group, kind="stable")
    ends = np.searchsorted(accounts.group[order], np.arange(len(stored.groups) + 1))
    for n, group in enumerate(stored.groups):
        at = order[ends[n] : ends[n + 1]]
        figures = ScreenFigures(*(getattr(accounts, field.name)[at] for field in fields(ScreenFigures)))
        screen = screen_limits(figures, group.policy, group.status, group.terms)
        answer.set(at, **{field.name: getattr(screen, field.name) for field in fields(LimitScreen)})
    return answer


def _holdings(
    stored: StoredShard, markets: Mapping[int, Market], group_of: GroupOf, needs_fold: Flags
) -> tuple[Ints, list[tuple[PositionGroup, Ints, dict[str, Ints]]]]:
    """Return each account's open profit and the positions by group; flag in `needs_fold` what does not fit."""
    accounts, positions = stored.accounts, stored.positions
    at = np.searchsorted(accounts.id, positions.account)
    count = np.bincount(at, minlength=accounts.length)
    needs_fold |= count > CONVERTED_COUNT_MAX
    needs_fold |= count > np.array([_positions_max(group) for group in stored.groups], np.int64)[accounts.group]
    share = UNITS_MAX // np.maximum(count, 1)[at]
    cost = _round_cost(positions)
    large = (positions.quantity >= UNITS_MAX) | (positions.quantity <= 0) | (cost > share)
    needs_fold[at[large]] = True
    fits = ~needs_fold[at]
    open_profit, holdings = np.zeros(accounts.length, np.int64), []
    for position_group, these in _grouped_positions(stored, at, group_of):
        these = these[fits[these]]
        limit = factors_max(positions.quantity[these], share[these])
        figures = {"quantity": positions.quantity[these], "cost": cost[these], "price_max": limit}
        profit, beyond = _profits(position_group, accounts.through[at[these]], figures, markets)
        needs_fold[at[these][beyond]] = True
        open_profit[at[these]] += profit
        holdings.append((position_group, at[these], figures | {"profit": profit}))
    return open_profit, holdings


def _positions_max(group: TermsGroup) -> int:
    """Return the number of positions above which the account is in breach."""
    terms = group.terms
    if terms is None or not terms.max_positions or terms.positions.enforced is not Enforcement.BREACH:
        return MOST
    return terms.max_positions


def _round_cost(positions: StoredPositions) -> Ints:
    """Return the cost bases rounded half-even to eight decimal places."""
    rest, whole = positions.cost_rest, positions.cost
    rounded: Ints = whole + ((rest > HALF_REST) | ((rest == HALF_REST) & (whole % 2 == 1)))
    return rounded


def _grouped_positions(stored: StoredShard, at: Ints, group_of: GroupOf) -> Iterator[tuple[PositionGroup, Ints]]:
    """Yield each position group with the indexes of its positions."""
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
        yield group_of(stored.symbols[symbol], side, of.policy.slippage, of.currency), these


def _profits(
    position_group: PositionGroup, through: Ints, figures: dict[str, Ints], markets: Mapping[int, Market]
) -> tuple[Ints, Flags]:
    """Return each position's open profit at the batch its account was marked through, and whether it does not fit."""
    profit, beyond = np.zeros(len(through), np.int64), np.ones(len(through), np.bool_)
    for batch in sorted(set(through.tolist())):
        at, market = np.flatnonzero(through == batch), markets[batch]
        if position_group.is_priced(market):
            quantity, cost, limit = (figures[name][at] for name in ("quantity", "cost", "price_max"))
            profit[at], beyond[at] = position_group.profits(quantity, cost, limit, market)
    return profit, beyond


def _figures(stored: StoredShard, screens: LimitScreen, open_profit: Ints) -> dict[str, Ints | Flags]:
    """Return the columns of `AccountRows` by name."""
    accounts = stored.accounts
    runs = accounts.phase_id > 0
    names = ("id", "seq", "through", "marked_at", "ledger_due_at", "cash", "unrealised", "high_watermark",
             "challenge_id", "phase_id", "day_start_balance", "day_start_equity")  # fmt: skip
    looks = (
        "low",
        "high",
        "trail_gap",
        "trail_pct",
        "trail_stop",
        "trail_share",
        "low_of_other_limits",
        "trails",
        "new_peak",
    )
    has_positions = np.zeros(accounts.length, np.bool_)
    has_positions[np.searchsorted(accounts.id, stored.positions.account)] = True
    return {
        **{name: getattr(accounts, name) for name in names},
        **{name: getattr(screens, name) for name in looks},
        "open_profit": open_profit,
        "holds": has_positions,
        "unmarked": np.ones(accounts.length, np.bool_),
        "day_ends_at": np.where(runs, accounts.day_ends_at, NEVER),
        "metric_due_at": np.where(runs, accounts.metric_due_at, NEVER),
        "day_low": np.where(runs, accounts.day_low, LEAST),
        "day_high": np.where(runs, accounts.day_high, MOST),
        "peak_equity": np.where(runs, accounts.peak_equity, MOST),
        "peak_balance": np.where(runs, accounts.peak_balance, MOST),
    }
