"""What most tests of the services begin with: principals, a brand with its groups, and a draft of a program."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from domain.instruments import Instrument
from domain.programs import Draft, Step
from domain.terms import PhaseType
from services import brands, groups, instruments
from services.principals import Principal, Role

ADMIN = Principal(1, "root", Role.ADMIN)
MANAGER = Principal(2, "mona", Role.MANAGER, "acme")
STRANGER = Principal(3, "ned", Role.MANAGER, "other")
CLIENT = Principal(4, "app", Role.CLIENT, "acme", subject="alice")
TRADER = Principal(5, "bot", Role.TRADER, "acme")
FEED = Principal(6, "ticks", Role.FEED)
EURUSD = Instrument("EURUSD", "EUR", "USD", 5, Decimal("0.01"), Decimal("0.01"))


async def a_desk() -> None:
    """Two brands, `acme` with a DEMO and a REAL group, and one instrument."""
    for name in ("acme", "other"):
        await brands.save_brand(ADMIN, name=name, title=name.capitalize())
    await instruments.save_instrument(ADMIN, EURUSD)
    await a_group(name="DEMO")
    await a_group(name="REAL", kind="REAL")


async def a_group(principal: Principal = MANAGER, **changes: Any) -> int:
    """Save a group; 100,000 USD and the default policy."""
    return await groups.save_group(
        principal, **{"name": "DEMO", "kind": "DEMO", "currency": "USD", "deposit": Decimal(100_000), **changes}
    )


def an_evaluation(**changes: Any) -> Step:
    step = Step(
        1, PhaseType.EVALUATION, "Evaluation", "DEMO", profit_target_pct=Decimal(8), max_daily_loss_pct=Decimal(5)
    )
    return replace(step, **changes)


def a_funded(**changes: Any) -> Step:
    return replace(Step(2, PhaseType.FUNDED, "Funded", "REAL", profit_split=Decimal("0.8")), **changes)


def a_draft(**changes: Any) -> Draft:
    """An evaluation and a funded phase for 99 USD."""
    return replace(Draft("Two-step", Decimal(99), "USD", (an_evaluation(), a_funded())), **changes)
