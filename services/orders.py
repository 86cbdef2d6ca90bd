"""Cancelling working orders."""

from domain import working_orders
from domain.errors import InvalidInput, NotFound
from domain.lifecycles import OrderStatus, move
from domain.reasons import REQUESTED
from domain.validation import text_fault
from models import orders
from services.actions import tradable_lock_root
from services.principals import Principal
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.unit import UnitOfWork

REASON_MAX = 200


async def cancel_order(
    principal: Principal, account_id: int, seq: int, reason: str | None = None, shown: str | None = None
) -> None:
    """Cancel a working order after its account is caught up; the ledger gets the reason that is shown.

    That is `shown`; for a client or a trader its `reason`. Raises NotFound for an order that is not visible,
    InvalidTransition for one that has ended.
    """
    for field, text in (("reason", reason), ("shownReason", shown)):
        if text is not None and (fault := text_fault(text, REASON_MAX)):
            raise InvalidInput(field, reason=fault)
    told = shown if principal.is_staff else reason
    name = f"{account_id}-{seq}"
    async with root_transaction(await tradable_lock_root(principal, account_id, "orderId")) as work:
        before = await _status(work, account_id, seq)
        after = move("order", before, OrderStatus.CANCELLED)
        held = work.locked_account(account_id)
        held.account = working_orders.cancel(held.account, [seq], REQUESTED, work.now, work.batch, work.journal, told)
        work.audit(
            principal,
            "cancelOrder",
            object_kind="order",
            object_id=name,
            brand=held.account.brand,
            reason=reason or "",
            before={"status": before.value},
            after={"status": after.value},
        )


async def _status(work: UnitOfWork, account_id: int, seq: int) -> OrderStatus:
    """Return the order as it is now: newer quotes may have ended it. Raises NotFound."""
    order = work.journal.orders.get((account_id, seq))
    status = order.status if order else await orders.order_status(work.conn, account_id, seq)
    if status is None:
        raise NotFound("orderId", order=f"{account_id}-{seq}")
    return status
