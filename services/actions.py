"""Decision actions: proposed by a trader or an AI, gated, executed, answered once."""

from collections.abc import Sequence

from domain import execution
from domain.checks import text_fault
from domain.errors import InvalidInput, NotFound
from domain.orders import Action, ActionResult
from models import accounts, orders
from services.access import Target, reaches
from services.principals import Principal
from services.unit import Root, reading, root

BATCH_MAX = 250
TEXT_MAX = 200


async def submit(principal: Principal, account_id: int, run: str, actions: Sequence[Action]) -> list[ActionResult]:
    """Submit a batch to one account, in one transaction; one result each, in the order of the input.

    Raises InvalidInput for an empty or too large batch or an unusable id, NotFound for an account that is not the
    principal's to trade. A gate's refusal is a result, not an error.
    """
    _check(run, actions)
    async with reading() as conn:
        found = await accounts.root_of(conn, account_id)
    if found is None or not reaches(principal, Target(**found)):
        raise NotFound("accountId", account=account_id)
    of = Root.of_challenge(found["challenge_id"]) if found["challenge_id"] else Root.of_account(account_id)
    async with root(of) as work:
        known = await orders.known(work.conn, account_id, [action.key for action in actions])
        held = work.held.get(account_id)
        if held is None:
            held = await work.adopt(account_id)  # it has ended: every action is refused, and that is recorded
        held.account, results = execution.submit(
            held.account, actions, known, work.moment, held.conditions, work.journal
        )
    return results


def _check(run: str, actions: Sequence[Action]) -> None:
    if not 1 <= len(actions) <= BATCH_MAX:
        raise InvalidInput("actions", size_max=BATCH_MAX, size=len(actions))
    _check_text("runId", run)
    for place, action in enumerate(actions):
        _check_text(f"actions[{place}].actionId", action.action_id)
        for name in ("action", "symbol", "side", "quantity", "notional", "fraction", "reference"):
            _check_text(f"actions[{place}].{name}", getattr(action, name) or "", empty=True)


def _check_text(field: str, text: str, *, empty: bool = False) -> None:
    if fault := text_fault(text, TEXT_MAX, empty=empty):
        raise InvalidInput(field, reason=fault)
