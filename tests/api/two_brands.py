"""Two brands on one desk, each with one object of every kind that belongs to a brand."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from domain.lifecycles import ProgramStatus
from domain.programs import Draft
from services import actions, admin, brands, bulk_reinstatements, groups, payouts, programs, purchases, tokens, wallets
from services.principals import Principal, Role
from tests.services.bad_prints import bad_print, void
from tests.services.winners import FREE, OPEN_ENDED
from tests.services.world import ADMIN, World, a_world, an_action, plant_a_breach, settle, value

Ids = dict[str, str]
"""By kind of object."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The ids of each brand's objects, and the world of their market."""

    world: World
    acme: Ids
    other: Ids


async def a_desk(url: str) -> Desk:
    """Create Alice's challenge at acme and Carol's at other: traded, one payout, a breach, a working order."""
    world = await a_world(url, steps=[OPEN_ENDED], policy=FREE)
    acme = await furnish(url, world, "acme", "alice", world.program, world.wallet)
    program, wallet = await another_brand()
    return Desk(world, acme, await furnish(url, world, "other", "carol", program, wallet))


async def another_brand() -> tuple[int, int]:
    """Save the brand `other`; return its program and the wallet of its client Carol."""
    await brands.save_brand(ADMIN, name="other", title="Other")
    manager = Principal(7, "ned", Role.MANAGER, "other")
    await groups.save_group(manager, name="REAL", kind="REAL", currency="USD", deposit=Decimal(100_000), policy=FREE)
    program = await programs.create_program(manager, Draft("Elsewhere", Decimal(500), "USD", (OPEN_ENDED,)))
    await programs.update_program(manager, program, expected_version=1, status=ProgramStatus.ACTIVE)
    return program, await wallets.deposit_to_wallet(
        manager, client="carol", currency="USD", amount=Decimal(2_000), key="w1"
    )


async def furnish(url: str, world: World, brand: str, client: str, program: int, wallet: int) -> Ids:
    """Create one object of every kind for the client; return the ids."""
    manager = Principal(7, "mona", Role.MANAGER, brand)
    buyer = Principal(8, "app", Role.CLIENT, brand, client)
    trader = Principal(9, "bot", Role.TRADER, brand)
    purchase, challenge = await purchases.buy(buyer, program, wallet, "k1")
    await settle()
    account = await world.account(challenge)
    await world.quote("1.1")
    await actions.submit(trader, account, "r1", [an_action(quantity="1000000")])
    await world.quote("1.11")
    await actions.submit(trader, account, "r1", [an_action("CLOSE", "a2")])
    payout = await payouts.request_payout(buyer, challenge, "p1")
    await settle()
    await plant_a_breach(url, challenge)
    rests = an_action(action_id="a4", side="SHORT", order="LIMIT", price="1.5")
    await actions.submit(trader, account, "r1", [an_action(action_id="a3"), rests])
    parent = await admin.create_account(manager, mode="RACE", key="c1", owner=client)
    await admin.create_account(manager, mode="RACE", key="c2", owner=client, parent_id=parent)
    await tokens.create_token(role=Role.TRADER, brand=brand, name="bot")
    _, victim = await purchases.buy(buyer, program, wallet, "k2")
    await settle()
    await actions.submit(trader, await world.account(victim), "r1", [an_action(quantity="100000")])
    await _set_aside(world, manager)
    ids: dict[str, object] = {"program": program, "wallet": wallet, "purchase": purchase, "challenge": challenge,
                              "account": account, "payout": payout, "parent": parent}  # fmt: skip
    for name, newest in NEWEST.items():
        ids[name] = await value(newest, account, challenge, brand)
    return {name: str(found) for name, found in ids.items()}


async def _set_aside(world: World, manager: Principal) -> None:
    """Fail the open challenges by a wrong quote, and reinstate them."""
    span = await bad_print(world)
    await world.quote("1.11", after=timedelta(0))
    await void(span)
    await bulk_reinstatements.order_reinstatements(manager, span, "a bad print", "b1")
    await settle()


_OWN = "where account_id = $1 and ($2::bigint, $3::text) is not null"
NEWEST = {
    "order": f"select max(account_id || '-' || seq) from orders {_OWN} and status = 'WORKING'",
    "filled": f"select max(account_id || '-' || seq) from orders {_OWN} and status = 'FILLED'",
    "fill": f"select max(account_id || '-' || seq) from fills {_OWN}",
    "action": f"select max(account_id || '-' || seq) from decision_actions {_OWN}",
    "transfer": f"select max(transfer) from transfers {_OWN}",
    "job": "select max(id) from jobs where ($1::bigint, $2::bigint, $3::text) is not null and challenge_id = $2",
    "bulk": "select max(id) from bulk_reinstatements where ($1::bigint, $2::bigint) is not null and brand = $3",
    "token": "select max(id) from tokens where ($1::bigint, $2::bigint) is not null and brand = $3",
}
