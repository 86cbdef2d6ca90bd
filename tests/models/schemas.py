"""Two descriptions of the tables: of the models, created in a schema of their own, and of the migrated schema.

PostgreSQL describes both, so types, defaults and conditions compare whatever their spelling.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
from tortoise.fields import Field
from tortoise.indexes import Index
from tortoise.models import Model

from models.tables.keys import UniqueIndex

Objects: TypeAlias = dict[tuple[str, str, str], str]
"""By table, kind and name: the definition of the object by PostgreSQL."""

COLUMNS = """
select c.relname, 'column', a.attname,
  format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
  || case a.attidentity when 'a' then ' generated always as identity (start with ' || s.seqstart || ')' else '' end
  || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
from tables c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
left join pg_sequence s on s.seqrelid = pg_get_serial_sequence(quote_ident(c.relname), a.attname)::regclass
"""
COMMENTS = """
select c.relname, 'comment', coalesce(a.attname, ''), d.description
from tables c join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass
left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
"""
CONSTRAINTS = """
select c.relname, case o.contype when 'f' then 'foreign key' else 'key' end, o.conname, pg_get_constraintdef(o.oid)
from tables c join pg_constraint o on o.conrelid = c.oid where o.contype in ('p', 'u', 'f') and o.conparentid = 0
"""
INDEXES = """
select c.relname, 'index', i.relname, replace(pg_get_indexdef(i.oid), ' ONLY ', ' ')
from tables c join pg_index x on x.indrelid = c.oid join pg_class i on i.oid = x.indexrelid
where not exists (select from pg_constraint o where o.conindid = i.oid and o.contype in ('p', 'u'))
"""
OBJECTS = f"""
with tables as (
  select oid, relname from pg_class
  where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition)
{COLUMNS} union all {COMMENTS} union all {CONSTRAINTS} union all {INDEXES}
"""


async def objects(conn: asyncpg.Connection, schema: str) -> Objects:
    """Return the tables of a schema: columns, comments, keys and indexes."""
    await conn.execute(f"set search_path = {schema}, public")
    rows = await conn.fetch(OBJECTS)
    return {(table, sort, name): text.replace(f"{schema}.", "") for table, sort, name, text in rows}


async def draw(conn: asyncpg.Connection, schema: str, models: list[type[Model]], generator: Any) -> None:
    """Create the tables of the models in a new schema; `generator` is Tortoise's schema generator, for the indexes."""
    await conn.execute(f"create schema {schema}; set search_path = {schema}, public")
    for model in models:
        await conn.execute(";".join(_table(model)))
    for model in models:
        for statement in _rest(model, generator):
            await conn.execute(statement)


def columns(model: type[Model]) -> dict[str, Field[Any]]:
    """Return the fields of a model that are columns, by the column's name."""
    fields = model._meta.fields_map  # noqa: SLF001 - Tortoise has no public name for it
    return {column: fields[name] for name, column in model._meta.fields_db_projection.items()}  # noqa: SLF001


def primary_key(model: type[Model]) -> tuple[str, ...]:
    """Return the columns of the primary key; none for a table without one."""
    single = (model._meta.db_pk_column,)  # noqa: SLF001
    if (relation := model._meta.fields_map.get(model._meta.pk_attr)) is not None and relation.source_field:  # noqa: SLF001
        single = (relation.source_field,)
    return getattr(model.Meta, "primary_key", single)


def column_sql(column: str, field: Field[Any]) -> str:
    """Return the column's definition."""
    kind = field.get_for_dialect("postgres", "SQL_TYPE")
    if field.pk and field.generated:
        return f'"{column}" {field.get_for_dialect("postgres", "GENERATED_SQL")}'.replace(" PRIMARY KEY", "")
    return f'"{column}" {kind}{"" if field.null else " not null"}{_default(field)}'


def _default(field: Field[Any]) -> str:
    if not field.has_db_default():
        return ""
    if hasattr(field.db_default, "get_sql"):
        return f" default {field.db_default.get_sql(dialect='postgres')}"
    value = field.to_db_value(field.db_default, field.model)
    return f" default {value}" if isinstance(value, int | Decimal) else f" default '{value}'"


def _table(model: type[Model]) -> Iterator[str]:
    table = model._meta.db_table  # noqa: SLF001
    lines = [column_sql(column, field) for column, field in columns(model).items()]
    if key := primary_key(model):
        lines.append(f"primary key ({', '.join(key)})")
    lines += [
        f"constraint {unique.name} unique ({', '.join(unique.fields)})"
        for unique in model._meta.constraints  # noqa: SLF001
        if not isinstance(unique, UniqueIndex)
    ]
    yield f"create table {table} ({', '.join(lines)})"
    yield _comment(f"table {table}", model._meta.table_description)  # noqa: SLF001
    for column, field in columns(model).items():
        if field.description:
            yield _comment(f'column {table}."{column}"', field.description)


def _comment(what: str, text: str) -> str:
    return "comment on {} is '{}'".format(what, text.replace("'", "''"))


def _rest(model: type[Model], generator: Any) -> Iterator[str]:
    """Return the statements that need the other tables, or that Tortoise writes."""
    table = model._meta.db_table  # noqa: SLF001
    for column, field in columns(model).items():
        relation: Any = field.reference
        if relation is not None and relation.db_constraint:
            target = relation.related_model._meta.db_table  # noqa: SLF001
            yield f'alter table {table} add foreign key ("{column}") references {target} on delete {relation.on_delete}'
    for name, own, target, theirs in getattr(model.Meta, "foreign_keys", ()):
        yield (
            f"alter table {table} add constraint {name} "
            f"foreign key ({', '.join(own)}) references {target} ({', '.join(theirs)})"
        )
    for unique in model._meta.constraints:  # noqa: SLF001
        if isinstance(unique, UniqueIndex):
            where = f" where {unique.condition}" if unique.condition else ""
            yield f"create unique index {unique.name} on {table} ({', '.join(unique.fields)}){where}"
    for index in model._meta.indexes:  # noqa: SLF001
        assert isinstance(index, Index), "the indexes have the names of the migration"
        yield index.get_sql(generator, model, safe=False)


PICTURE = """
select 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')
from pg_proc p where p.pronamespace = 'public'::regnamespace
union all
select 'right', c.relname, coalesce(c.relacl::text, '') from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'S')
union all
select 'row', 'currencies', c.code || c.minor_units || c.par from currencies c
union all
select 'check', o.conrelid::regclass || o.contypid::regtype::text || o.conname, pg_get_constraintdef(o.oid)
from pg_constraint o where o.connamespace = 'public'::regnamespace and o.contype = 'c'
union all
select 'trigger', t.tgrelid::regclass || t.tgname, pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal
"""


async def picture(conn: asyncpg.Connection) -> set[tuple[str, ...]]:
    """Return every object that the migrations create in the schema `public`."""
    seen = await objects(conn, "public")
    rows = await conn.fetch(PICTURE)
    return {(*key, text) for key, text in seen.items()} | {tuple(row) for row in rows}
