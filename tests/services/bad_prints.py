"""A bad print that fails a challenge, and what is done about it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.lifecycles import ChallengeStatus
from domain.voids import Span
from services import reinstatements, voids
from services.principals import Principal, Role
from services.reinstatements import Reinstated
from tests.services.winners import FREE
from tests.services.world import ADMIN, EVALUATION, FUNDED, MANAGER, World, a_world, act, value

STRANGER = Principal(9, "ned", Role.MANAGER, "other")
BLINK = timedelta(seconds=0.3)
SECOND = timedelta(seconds=1)


async def bad_print(world: World, mid: str = "0.11000", *, symbol: str = "EURUSD") -> Span:
    """A tenth of the price for 0.3 seconds; answers the span of the bad quotes."""
    await world.quote(mid, symbol=symbol, after=SECOND)
    since = world.at
    world.at += BLINK
    return Span(symbol, since, world.at)


async def void(span: Span) -> int:
    return await voids.void_quotes(ADMIN, span.symbol, span.source_from, span.source_before, "a bad print")


async def reinstate(challenge: int, key: str = "r1", *, apply: bool = True, by: Principal = MANAGER) -> Reinstated:
    return await reinstatements.reinstate(by, challenge, "a bad print", key, apply=apply, shown="a bad print")


async def a_victim(
    database: str,
    steps: Sequence[Any] = (EVALUATION, FUNDED),
    *,
    after: timedelta = timedelta(minutes=1),
    **changes: Any,
) -> tuple[World, int, int, Span, Decimal]:
    """A challenge that a bad print failed and closed at, and its equity just before."""
    world = await a_world(database, steps=steps, policy=FREE, **changes)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.10500", after=after)
    equity = await equity_of(account)
    span = await bad_print(world)
    assert await status(challenge) is ChallengeStatus.FAILED
    await world.quote("1.10600", after=timedelta(0))
    return world, challenge, account, span, equity


async def a_reinstated(world: World, key: str) -> int:
    """A challenge that goes on after a bad print had failed it, flat."""
    challenge, account = await world.buy(key)
    await act(account, "OPEN", action_id="r1", quantity="100000")
    span = await bad_print(world)
    await world.quote("1.10000", after=timedelta(0))
    await void(span)
    await reinstate(challenge, key)
    return challenge


async def equity_of(account: int) -> Decimal:
    found: Decimal = await value("select equity from balances where account_id = $1", account)
    return found


async def status(challenge: int) -> ChallengeStatus:
    return ChallengeStatus(await value("select status from challenges where id = $1", challenge))
