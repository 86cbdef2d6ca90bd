"""What one client may have open: in all and of one program, from wallets and outside, however many at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from config.settings import settings
from domain.errors import Refused, TooManyChallenges
from domain.lifecycles import ProgramStatus
from domain.payments import Payment
from domain.programs import Draft
from services import challenges, payments, programs, purchases, sales, wallets
from services.principals import Principal
from tests.services.world import CLIENT, EVALUATION, MANAGER, a_world, books_hold, elsewhere, rows, value

BOB = replace(CLIENT, subject="bob")


def _allow(monkeypatch: pytest.MonkeyPatch, *, client: int, program: int) -> None:
    few = settings().replace(open_challenges_client_max=client, open_challenges_program_max=program)
    monkeypatch.setattr(sales, "settings", lambda: few)


async def _sell(keys: Sequence[str], program: int, wallet: int, who: Principal = CLIENT) -> list[object]:
    """Buy once a key, all at once; return what each came to."""
    ends: list[object] = await asyncio.gather(
        *(elsewhere(purchases.buy(who, program, wallet, key)) for key in keys), return_exceptions=True
    )
    return ends


async def test_of_two_hundred_free_challenges_at_once_a_client_gets_its_share(database: str) -> None:
    world = await a_world(database, price=0)
    most = settings().open_challenges_program_max
    ends = await _sell([f"k{n}" for n in range(200)], world.program, world.wallet)
    refused = [end for end in ends if isinstance(end, TooManyChallenges)]
    assert (sum(isinstance(end, tuple) for end in ends), len(refused)) == (most, 200 - most)
    assert {refusal.field for refusal in refused} == {"programId"}
    assert refused[0].facts == {"program": world.program, "open": most, "most": most}
    assert await value("select count(*) from challenges") == await value("select count(*) from purchases") == most
    await books_hold()


async def test_programs_of_one_client_share_and_another_client_has_its_own(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database, price=0)
    other = await programs.create_program(MANAGER, Draft("Other", Decimal(0), "USD", (EVALUATION,)))
    await programs.update_program(MANAGER, other, expected_version=1, status=ProgramStatus.ACTIVE)
    _allow(monkeypatch, client=3, program=2)
    mine = [
        await _sell([f"{program}.{n}" for n in range(3)], program, world.wallet) for program in (world.program, other)
    ]
    assert [[type(end) for end in ends].count(tuple) for ends in mine] == [2, 1]
    [refusal, *_] = [end for end in mine[1] if isinstance(end, TooManyChallenges)]
    assert (refusal.field, refusal.facts) == (None, {"open": 3, "most": 3})
    wallet = await wallets.deposit_to_wallet(MANAGER, client="bob", currency="USD", amount=Decimal(1), key="b")
    assert type((await _sell(["b1"], world.program, wallet, BOB))[0]) is tuple


async def test_the_same_key_is_answered_beyond_the_share_and_an_end_makes_room(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    _allow(monkeypatch, client=5, program=1)
    first = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    assert await purchases.buy(CLIENT, world.program, world.wallet, "k1") == first
    with pytest.raises(TooManyChallenges):
        await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    await challenges.cancel_challenge(MANAGER, first[1], "asked for")
    assert await purchases.buy(CLIENT, world.program, world.wallet, "k2") != first
    await books_hold()


async def test_an_unpaid_purchase_has_its_share_so_that_its_payment_is_never_refused(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    _allow(monkeypatch, client=2, program=2)
    ends: list[object] = await asyncio.gather(
        *(
            elsewhere(purchases.place_purchase(CLIENT, world.program, None, Payment.EXTERNAL, f"e{n}"))
            for n in range(3)
        ),
        *(
            elsewhere(purchases.place_purchase(CLIENT, world.program, world.wallet, Payment.WALLET, f"w{n}"))
            for n in range(3)
        ),
        return_exceptions=True,
    )
    assert [type(end) for end in ends].count(tuple) == 2
    assert {type(end) for end in ends if isinstance(end, Refused)} == {TooManyChallenges}
    for unpaid in await rows("select payment_reference, price from purchases where payment_reference is not null"):
        await payments.confirm_payment(
            MANAGER, reference=unpaid["payment_reference"], amount=unpaid["price"], currency="USD",
            key=unpaid["payment_reference"],
        )  # fmt: skip
    assert await value("select count(*) from challenges where status in (0, 1)") == 2
    with pytest.raises(TooManyChallenges):
        await purchases.buy(CLIENT, world.program, world.wallet, "late")
    await books_hold()
