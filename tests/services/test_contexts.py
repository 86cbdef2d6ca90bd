"""Decision contexts of real accounts: the services accept what a context says is possible."""

from datetime import timedelta
from decimal import Decimal

from domain.lifecycles import ActionStatus
from domain.orders import Verb
from domain.positions import Side
from domain.rule_table import Rule
from services import admin, decision_context
from services.decision_context import AccountContext
from tests.services.test_snapshots import unseen, written
from tests.services.world import EVALUATION, MANAGER, World, a_world, act, changed, settle

POLICY = {"fee_bps": Decimal(10), "slippage": "BID_ASK"}


async def of(account: int, *symbols: str) -> AccountContext:
    return await decision_context.account_context(account, symbols or None)


def allowed(decided: AccountContext) -> set[Verb]:
    return {one.verb for one in decided.context.permissions if one.refusal is None}


async def passed(world: World) -> tuple[int, int]:
    """The account of a phase that was won, and that of the next."""
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.19000")
    await act(account, "CLOSE", action_id="a2")
    await settle()
    return account, await world.account(challenge)


async def test_the_largest_order_is_executed_and_one_step_more_is_not(database: str) -> None:
    world = await a_world(database, policy=POLICY)
    _, account = await world.buy()
    await unseen(world, "1.10300")
    before = await written()
    [instrument] = (await of(account, "EURUSD")).context.instruments
    assert await written() == before
    for size in instrument.sizes:
        more = await act(account, size.verb, action_id=f"{size.side}+", side=size.side, quantity=f"{size.quantity + 1}")
        assert more.refusal
        assert more.refusal.code == size.refusal.code
    long = instrument.sizes[0]
    done = await act(account, long.verb, action_id="long", quantity=str(long.quantity))
    [again] = (await of(account, "EURUSD")).context.instruments
    assert done.status is ActionStatus.EXECUTED
    assert (again.sizes[0].verb, again.sizes[0].quantity) == (Verb.INCREASE, Decimal(0))
    short = again.sizes[1]
    done = await act(account, short.verb, action_id="short", side=Side.SHORT, notional=str(short.notional))
    assert done.status is ActionStatus.EXECUTED
    assert done.fill
    assert done.fill.quantity == short.quantity


async def test_orders_and_recent_actions_show_what_became_of_them(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="now", quantity="1000", stop_loss="1.05000")
    await act(account, "OPEN", action_id="later", side="SHORT", quantity="2000", order="LIMIT", price="1.20000")
    await act(account, "HOLD", action_id="never", quantity="1000")
    decided = await of(account)
    assert [(row["type"], row["symbol"]) for row in decided.orders] == [("LIMIT", "EURUSD"), ("STOP_LOSS", "EURUSD")]
    assert [(row["action_id"], row["status"], row["order_status"]) for row in decided.actions] == [
        ("never", "REJECTED", None),
        ("later", "WORKING", "WORKING"),
        ("now", "EXECUTED", "FILLED"),
    ]
    await unseen(world, "1.20000")
    assert [row["type"] for row in (await of(account)).orders] == ["STOP_LOSS"], "a mark would have filled the limit"
    await settle()
    for n in range(60):
        await act(account, "HOLD", action_id=f"h{n}", quantity="1")
    recent = (await of(account)).actions
    assert [row["action_id"] for row in recent] == [f"h{n}" for n in reversed(range(10, 60))]


async def test_rules_and_the_day_are_those_of_now(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await unseen(world, "1.09000", after=timedelta(hours=13))
    now = (await of(account)).context
    rules = {one.rule: one for one in now.rules}
    assert rules[Rule.MAX_TOTAL_LOSS].level == 90_000
    assert rules[Rule.MAX_TOTAL_LOSS].headroom == now.snapshot.account.equity - 90_000
    phase = now.snapshot.account.phase
    assert phase
    assert (phase.day, phase.day_ends_at > world.at) == (2, True)


async def test_an_account_that_was_won_leads_to_the_next(database: str) -> None:
    world = await a_world(database)
    first, second = await passed(world)
    before, after = await of(first), await of(second)
    assert (allowed(before), before.next_account_id) == (set(), second)
    assert (allowed(after), after.next_account_id) == ({Verb.OPEN}, None)
    assert before.context.rules, "an ended phase still tells where it stood"


async def test_an_account_that_was_lost_permits_nothing_and_leads_nowhere(database: str) -> None:
    world = await a_world(database, steps=[changed(EVALUATION)])
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.00000")
    decided = await of(account, "EURUSD")
    assert (allowed(decided), decided.next_account_id) == (set(), None)
    assert {size.refusal.code for size in decided.context.instruments[0].sizes} == {"ACCOUNT_NOT_OPEN"}


async def test_an_account_without_a_challenge_has_a_context_too(database: str) -> None:
    await a_world(database)
    account = await admin.create_account(MANAGER, mode="AUDITION", key="k1", group="DEMO")
    assert allowed(await of(account)) == set()
    await admin.start_by_hand(MANAGER, account)
    decided = await of(account)
    assert (allowed(decided), decided.next_account_id) == ({Verb.OPEN}, None)
    assert [rule.rule for rule in decided.context.rules] == [Rule.LIQUIDATION]
    assert [one.symbol for one in decided.context.instruments] == ["EURUSD", "GBPUSD"]
    await admin.liquidate(MANAGER, account, "drill")
    assert allowed(await of(account)) == set()
