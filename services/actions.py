"""Decision actions: proposed by a trader or an AI, gated, executed, answered once."""

from collections.abc import Sequence

from domain import execution
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
    if not 1 <= len(run) <= TEXT_MAX:
        raise InvalidInput("runId", length_max=TEXT_MAX, length=len(run))
    for place, action in enumerate(actions):
        if not 1 <= len(action.action_id) <= TEXT_MAX:
            raise InvalidInput(f"actions[{place}].actionId", length_max=TEXT_MAX, length=len(action.action_id))
        for name in ("action", "symbol", "side", "quantity", "notional", "fraction", "reference"):
            text = getattr(action, name)
            if text is not None and (len(text) > TEXT_MAX or "\x00" in text):
                raise InvalidInput(f"actions[{place}].{name}", length_max=TEXT_MAX, length=len(text))
