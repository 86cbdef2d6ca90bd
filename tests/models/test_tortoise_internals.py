"""The undocumented names of Tortoise's models and fields; a test names the one that a new version has changed."""

from tortoise import fields

from models.tables.brands import Brand
from models.tables.tortoise_internals import DeskIdentity, Identity, is_stored


async def test_a_row_is_stored_once_it_is_saved(database: str) -> None:
    brand = Brand(name="internals", title="Internals", number_prefix=8999)
    assert not is_stored(brand)
    await brand.save()
    assert is_stored(brand)
    assert is_stored(await Brand.get(name="internals"))


def test_a_field_gives_postgresql_a_definition_of_its_own() -> None:
    assert "GENERATED_SQL" in vars(fields.BigIntField._db_postgres)  # noqa: SLF001 - the name that ours overrides
    assert Identity().get_for_dialect("postgres", "GENERATED_SQL") == "BIGINT NOT NULL PRIMARY KEY"
    assert "GENERATED ALWAYS" in DeskIdentity().get_for_dialect("postgres", "GENERATED_SQL")
