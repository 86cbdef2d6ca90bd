"""What an account may do now, read at one point in time, with nothing written and nothing locked."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.contexts import Context, context
from models import accounts, challenges
from models.views.accounts import ACTIONS, ORDERS
from models.views.listing import Row, Window, pages
from services.snapshots import present
from services.unit import snapshot

RECENT_ACTIONS = 50


@dataclass(frozen=True, slots=True)
class Decided:
    """The context, and the account's rows beside it: its resting orders and its last actions, newest first, the account
    that its challenge has moved on to, if it has.
    """

    context: Context
    orders: list[Row]
    actions: list[Row]
    next_account_id: int | None


async def of_account(account_id: int, symbols: Sequence[str] | None = None) -> Decided:
    """The account's context. The caller has made sure that it is in sight."""
    async with snapshot() as conn:
        loaded = await accounts.load(conn, [account_id])
        resting = await pages(conn, ORDERS, "account", [account_id], (("status", (("WORKING",),)),), Window(1000))
        recent = await pages(conn, ACTIONS, "account", [account_id], (), Window(RECENT_ACTIONS))
        challenge = loaded[0].challenge_id
        current = None if challenge is None else (await challenges.card(conn, challenge))["account_id"]
    [now] = await present(loaded)
    return Decided(
        context=context(now.snapshot, now.moment, now.conditions, symbols),
        orders=[row for row in resting if row["seq"] in now.account.orders],
        actions=recent[:RECENT_ACTIONS],
        next_account_id=None if current in (None, account_id) else current,
    )
