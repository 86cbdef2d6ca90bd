"""Brands, and the separation between them."""

import pytest

from domain.errors import Forbidden, InvalidInput, NotFound
from models.tables.brands import Brand
from services import brands
from services.unit_of_work.openings import transaction
from tests.services.builders import ADMIN, CLIENT, FEED, MANAGER, TRADER


async def test_saving_again_changes_the_title_and_nothing_else(database: str) -> None:
    assert await brands.save_brand(ADMIN, name="acme", title="Acme", sample=True) == "acme"
    await brands.save_brand(ADMIN, name="acme", title="Acme Ltd")
    (brand,) = await Brand.all()
    assert (brand.title, brand.sample) == ("Acme Ltd", True)


async def test_only_an_admin_saves_a_brand(database: str) -> None:
    for principal in (MANAGER, CLIENT, TRADER, FEED):
        with pytest.raises(Forbidden):
            await brands.save_brand(principal, name="acme", title="Acme")
    assert await Brand.all().count() == 0


BAD = [
    ("Acme", "A", "name"),
    ("", "A", "name"),
    ("a" * 33, "A", "name"),
    ("acme\n", "A", "name"),
    ("acme", " ", "title"),
]


async def test_a_bad_field_is_named(database: str) -> None:
    for name, title, field in BAD:
        with pytest.raises(InvalidInput) as refusal:
            await brands.save_brand(ADMIN, name=name, title=title)
        assert refusal.value.field == field


async def test_a_missing_brand_is_not_found(database: str) -> None:
    async with transaction():
        with pytest.raises(NotFound):
            await brands.require_brand("acme")


def test_a_manager_works_in_its_own_brand_and_anothers_is_as_missing() -> None:
    assert MANAGER.brand_for(None) == MANAGER.brand_for("acme") == "acme"
    with pytest.raises(NotFound):
        MANAGER.brand_for("other")


def test_an_admin_names_the_brand() -> None:
    assert ADMIN.brand_for("acme") == "acme"
    with pytest.raises(InvalidInput):
        ADMIN.brand_for(None)


def test_a_client_acts_as_the_person_and_others_as_their_token() -> None:
    assert (CLIENT.actor, TRADER.actor) == ("client:alice", "trader:bot")
