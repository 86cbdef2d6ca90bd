"""The models in models/tables agree with the migrated tables: columns, comments, indexes, keys."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import pytest
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.connection import get_connections

from config.database import connection
from domain.lifecycles import OrderStatus
from domain.orders import OrderType, Verb
from domain.positions import Side
from models import tables
from models.tables.orders import Order
from tests.models.schemas import draw, objects
from tests.models.suggestions import differences

MODELS = tables.__models__
TABLES = {model._meta.db_table: model for model in MODELS}  # noqa: SLF001 - Tortoise has no public name for it
NOT_OURS = frozenset({"aerich"})  # has a model of aerich's own
BROKER = "dramatiq"  # the schema of the broker's tables


async def test_the_models_are_the_tables(database: str) -> None:
    generator = cast("AsyncpgDBClient", get_connections().get("default")).schema_generator
    async with connection(database) as owner:
        await draw(owner, "drawn", MODELS, generator(owner))
        drawn, migrated = await objects(owner, "drawn"), await objects(owner, "public")
    migrated = {key: text for key, text in migrated.items() if key[0] not in NOT_OURS}
    found = differences(drawn, migrated, TABLES)
    assert not found, "\n".join(["models and migrations differ:", *found])


async def test_no_table_is_without_a_model(database: str) -> None:
    """Tables of the broker are left out: they belong to its library, in a schema of their own."""
    async with connection(database) as owner:
        rows = await owner.fetch(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
            " and to_regclass(format('%I.%I', schemaname, tablename)) not in (select inhrelid from pg_inherits)"
        )
    others = {(schema, table) for schema, table in rows if schema != BROKER}
    assert others == {("public", name) for name in TABLES} | {("public", name) for name in NOT_OURS}
    assert len(MODELS) >= 44


async def test_a_difference_says_where_and_what_to_write(database: str) -> None:
    changes = """
        alter table instruments add column tick_value money8 not null default 1;
        alter table instruments drop column price_precision;
        alter table tokens alter column subject set not null;
        create index tokens_name on tokens (brand, created_at desc) where revoked_at is null;
        drop index jobs_dead;
        alter table wallets drop constraint wallets_owner;
        create table aliases (symbol text primary key);
        comment on column brands.title is 'Its title';
    """
    generator = cast("AsyncpgDBClient", get_connections().get("default")).schema_generator
    async with connection(database) as owner:
        await draw(owner, "drawn", MODELS, generator(owner))
        await owner.execute("set search_path = public;" + changes)
        found = "\n".join(differences(await objects(owner, "drawn"), await objects(owner, "public"), TABLES))
    for advice in (
        "models/tables/instruments.py, class Instrument: tick_value = Money(db_default=1)",
        '_second.sql: alter table instruments add column "price_precision" SMALLINT not null;',
        "column tokens.subject: the model says text; the database has text not null",
        "class Token: subject = Text()",
        'TableIndex("brand", "created_at desc", name="tokens_name", where="(revoked_at IS NULL)")',
        "CREATE INDEX jobs_dead ON jobs USING btree (id) WHERE (status = 'DEAD'::text)",
        "alter table wallets add constraint wallets_owner UNIQUE (brand, client, currency)",
        "write a model of the table in models/tables",
        "comment on column brands.title is 'Display name'",
    ):
        assert advice in found


async def test_a_row_whose_key_has_several_columns_is_not_changed_by_one_of_them(database: str) -> None:
    for account in (1, 2):
        await Order.create(
            account_id=account,
            seq=7,
            instrument_id="EURUSD",
            side=Side.LONG,
            verb=Verb.OPEN,
            quantity=1,
            status=OrderStatus.WORKING,
            reason="",
            placed_at=datetime.now(UTC),
            batch=1,
            type=OrderType.LIMIT,
            price=1,
        )
    order = await Order.get(account_id=1, seq=7)
    assert (order.status, order.quantity, order.outcome) == (OrderStatus.WORKING, Decimal(1), dict[str, object]())
    for change in (order.save, order.delete, order.refresh_from_db):
        with pytest.raises(NotImplementedError, match="every column of the key"):
            await change()
    with pytest.raises(NotImplementedError, match="every column of the key"):
        Order.bulk_update([order], ["reason"])
    await Order.filter(account_id=1, seq=7).update(reason="changed")
    assert [row.reason for row in await Order.all().order_by("account_id")] == ["changed", ""]
