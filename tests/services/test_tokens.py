"""Tokens: who may make which, and when one stops working."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Forbidden, InvalidInput, NotFound
from models.tables.tokens import Token
from services import brands, tokens
from services.principals import Principal, Role
from tests.services.builders import ADMIN, CLIENT, MANAGER, STRANGER, TRADER


@pytest.fixture
async def two_brands(database: str) -> None:
    for name in ("acme", "other"):
        await brands.save_brand(ADMIN, name=name, title=name)


async def test_the_text_is_told_once_and_only_its_hash_is_kept(two_brands: None) -> None:
    text = await tokens.create_token(role="CLIENT", brand="acme", name="app", subject="alice")
    (row,) = await Token.all()
    head, prefix, secret = text.split("_", 2)
    assert (head, len(prefix), row.prefix) == ("pd", 8, f"pd_{prefix}")
    assert len(secret) >= 43
    assert secret not in str(await Token.all().values())
    assert len(row.hash) == 32
    assert await tokens.authenticate(text) == Principal(row.id, "app", Role.CLIENT, "acme", "alice", {})


async def test_no_two_tokens_are_alike(two_brands: None) -> None:
    made = [(await tokens.create_token(role="FEED", brand=None, name="feed")).split("_", 2) for _ in range(3)]
    assert len({prefix for _, prefix, _ in made}) == len({secret for _, _, secret in made}) == 3


async def test_an_unknown_text_is_nobody(database: str) -> None:
    for text in ("", "pd_00000000_guess", "\ud800", "x" * 10_000):
        assert await tokens.authenticate(text) is None


async def test_a_revoked_token_is_nobody(two_brands: None) -> None:
    text = await tokens.create_token(role="ADMIN", brand=None, name="root")
    (row,) = await Token.all()
    await tokens.revoke_token(ADMIN, row.id)
    assert await tokens.authenticate(text) is None


async def test_a_token_works_until_it_expires(two_brands: None) -> None:
    text = await tokens.create_token(role="ADMIN", brand=None, name="root")
    for seconds, known in ((-1, False), (60, True)):
        await Token.all().update(expires_at=datetime.now(UTC) + timedelta(seconds=seconds))
        assert (await tokens.authenticate(text) is not None) is known


async def test_its_last_use_is_noted_at_most_once_a_minute(two_brands: None) -> None:
    text = await tokens.create_token(role="ADMIN", brand=None, name="root")
    assert (await Token.get()).last_used_at is None
    for seconds, moved in ((120, True), (30, False)):
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        await Token.all().update(last_used_at=before)
        await tokens.authenticate(text)
        assert ((await Token.get()).last_used_at != before) is moved


BAD = [
    ("KING", "acme", None, "x", "role"),
    ("ADMIN", "acme", None, "x", "brand"),
    ("FEED", "acme", None, "x", "brand"),
    ("MANAGER", None, None, "x", "brand"),
    ("CLIENT", "acme", None, "x", "subject"),
    ("CLIENT", "acme", " ", "x", "subject"),
    ("TRADER", "acme", "alice", "x", "subject"),
    ("TRADER", "acme", None, "", "name"),
]


async def test_a_token_that_does_not_fit_its_role_is_refused(two_brands: None) -> None:
    for role, brand, subject, name, field in BAD:
        with pytest.raises(InvalidInput) as refusal:
            await tokens.create_token(role=role, brand=brand, name=name, subject=subject)
        assert refusal.value.field == field, role
    assert await Token.all().count() == 0


async def test_a_token_of_a_missing_brand_is_refused(two_brands: None) -> None:
    with pytest.raises(NotFound):
        await tokens.create_token(role="TRADER", brand="nobody", name="x")


async def test_a_manager_makes_traders_and_clients_of_its_brand_and_nobody_else(two_brands: None) -> None:
    for role, subject in (("TRADER", None), ("CLIENT", "alice"), ("PAYMENTS", None)):
        issued = await tokens.create_for(MANAGER, role=role, name="x", subject=subject)
        bearer = await tokens.authenticate(issued.text)
        assert bearer is not None
        assert (bearer.token_id, bearer.role, bearer.brand) == (issued.id, role, "acme")
    for role in ("MANAGER", "ADMIN", "FEED", "KING"):
        with pytest.raises(Forbidden):
            await tokens.create_for(MANAGER, role=role, name="x")


async def test_a_manager_makes_none_for_another_brand(two_brands: None) -> None:
    with pytest.raises(NotFound):
        await tokens.create_for(MANAGER, role="TRADER", name="x", brand="other")


async def test_others_make_none(two_brands: None) -> None:
    for principal in (CLIENT, TRADER):
        with pytest.raises(Forbidden):
            await tokens.create_for(principal, role="TRADER", name="x")


async def test_a_manager_revokes_its_own_traders_only(two_brands: None) -> None:
    issued = await tokens.create_for(MANAGER, role="TRADER", name="x")
    colleague = await tokens.create_for(ADMIN, role="MANAGER", brand="acme", name="y")
    for principal, token_id in ((STRANGER, issued.id), (MANAGER, colleague.id), (MANAGER, 10**9)):
        with pytest.raises(NotFound):
            await tokens.revoke_token(principal, token_id)
    await tokens.revoke_token(MANAGER, issued.id)
    first = (await Token.get(id=issued.id)).revoked_at
    await tokens.revoke_token(MANAGER, issued.id)
    assert first is not None
    assert (await Token.get(id=issued.id)).revoked_at == first


async def test_a_reissued_token_ends_the_earlier_one(two_brands: None) -> None:
    first = await tokens.reissue_token(role="FEED", brand=None, name="feed")
    second = await tokens.reissue_token(role="FEED", brand=None, name="feed")
    assert await tokens.authenticate(first) is None
    assert await tokens.authenticate(second) is not None
