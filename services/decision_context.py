"""Decision contexts: what accounts may do now, read at one point in time without locks or writes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from domain.decision_context import DecisionContext, build_context
from domain.errors import Refused
from domain.execution import Moment
from models import accounts, challenges
from models.views.accounts import ACTIONS, ORDERS
from models.views.list_pages import fetch_nested_pages
from models.views.list_query import PageRequest, Row
from services.snapshots import Present, each_present
from services.unit_of_work.reads import read_snapshot
from services.views.eligibility import cycle_of, cycles_of

RECENT_ACTIONS = 50
ROWS_MAX = 1_000  # rows that one list of an account may read; conditions without an index do not occur here


@dataclass(frozen=True, slots=True)
class AccountContext:
    """A context, the account's working orders and newest actions, and the account that its challenge is on now."""

    context: DecisionContext
    orders: list[Row]
    actions: list[Row]
    next_account_id: int | None


async def account_context(account_id: int, symbols: Sequence[str] | None = None) -> AccountContext:
    """Return the account's context. The caller has checked its visibility. Raises if it cannot be computed."""
    found = (await account_contexts([account_id], symbols))[account_id]
    if isinstance(found, Refused):
        raise found
    return found


async def account_contexts(
    ids: Sequence[int], symbols: Sequence[str] | None = None, moment: Moment | None = None
) -> dict[int, AccountContext | Refused]:
    """Return the contexts of visible accounts, at a moment or at the newest market, or the reason why there is none.

    All are read at one point in time.
    """
    async with read_snapshot() as conn:
        read = await accounts.load_accounts(conn, ids)
        loaded = read.loaded
        resting, _ = await fetch_nested_pages(
            conn, ORDERS, "account", ids, (("status", (("WORKING",),)),), PageRequest(1000), ROWS_MAX
        )
        recent, _ = await fetch_nested_pages(conn, ACTIONS, "account", ids, (), PageRequest(RECENT_ACTIONS), ROWS_MAX)
        cycles = await cycles_of(conn, loaded)
        current = await challenges.current_accounts(conn, [one.challenge_id for one in loaded if one.challenge_id])
    orders, actions = _by_parent(resting), _by_parent(recent)

    def decided(now: Present) -> AccountContext:
        account_id = now.account.id
        return AccountContext(
            context=build_context(now.snapshot, now.moment, now.conditions, symbols, cycle_of(now, cycles)),
            orders=[row for row in orders[account_id] if row["seq"] in now.account.orders],
            actions=actions[account_id][:RECENT_ACTIONS],
            next_account_id=_other(current.get(now.stored.challenge_id or 0), account_id),
        )

    return await each_present(read, moment, decided)


def _by_parent(rows: Sequence[Row]) -> defaultdict[int, list[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["parent"]].append(row)
    return found


def _other(current: int | None, own: int) -> int | None:
    """Return the account that its challenge is on now, unless that is this account."""
    return None if current == own else current
