"""Suggestions for a difference between models and database."""

import inspect
import re
from pathlib import Path

from tortoise.models import Model

from tests.models.schemas import Objects, column_sql, columns

ROOT = Path(__file__).parents[2]
MIGRATION = "migrations/models/1_20261130_second.sql"
FIELDS = {
    "text": "Text(",
    "money8": "Money(",
    "price13": "Price(",
    "cost18": "Cost(",
    "rest": "Rest(",
    "bigint": "fields.BigIntField(",
    "integer": "fields.IntField(",
    "smallint": "fields.SmallIntField(",
    "boolean": "fields.BooleanField(",
    "timestamp with time zone": "fields.DatetimeField(",
    "date": "fields.DateField(",
    "bytea": "fields.BinaryField(",
    "time without time zone": "LocalTime(",
    "jsonb": "fields.JSONField(",
    "text[]": 'ArrayField("text", ',
}
DEFAULTS = {"now()": "NOW", "clock_timestamp()": "CLOCK", "true": "True", "false": "False"}


def differences(drawn: Objects, migrated: Objects, models: dict[str, type[Model]]) -> list[str]:
    """Return a line for each difference: its place, both sides, and the code to write."""
    lines = []
    for key in sorted(drawn.keys() | migrated.keys()):
        if drawn.get(key) == migrated.get(key):
            continue
        table, sort, name = key
        model, database = drawn.get(key, "nothing"), migrated.get(key, "nothing")
        where = f"{sort} {table}.{name}".rstrip(".")
        lines.append(
            f"{where}: the model says {model}; the database has {database}\n    {_advice(key, drawn, migrated, models)}"
        )
    return lines


def _advice(key: tuple[str, str, str], drawn: Objects, migrated: Objects, models: dict[str, type[Model]]) -> str:
    table, sort, name = key
    if table not in models:
        return "write a model of the table in models/tables and put it into `__models__` of models/tables/__init__.py"
    model = models[table]
    place = f"{Path(inspect.getfile(model)).relative_to(ROOT)}, class {model.__name__}"
    if key not in migrated or (sort == "comment" and key in drawn):
        return f"write in {MIGRATION}: {_sql(key, drawn[key], model)}; or take it out of {place}"
    if sort == "column" and key in drawn and columns(model)[name].reference is not None:
        return f"write in {place}: null=True in the relation of {name}, or take it out, as the database has it"
    return f"write in {place}: {_python(sort, name, migrated[key])}"


def _sql(key: tuple[str, str, str], text: str, model: type[Model]) -> str:
    table, sort, name = key
    if sort == "comment":
        quoted = text.replace("'", "''")
        return f"comment on {f'column {table}.{name}' if name else f'table {table}'} is '{quoted}'"
    if sort == "column":
        return f"alter table {table} add column {column_sql(name, columns(model)[name])}"
    return text if sort == "index" else f"alter table {table} add constraint {name} {text}"


def _python(sort: str, name: str, text: str) -> str:
    """Return the line of the model that matches the database."""
    if sort == "column":
        return _field(name, text)
    if sort == "comment":
        return f"description={text!r}" if name else f"its docstring begins with {text!r}"
    if sort == "foreign key":
        return f'a relation: <name> = reference("<Model>", column=...)  # {text}'
    named = re.search(r"\(([^()]*)\)(?: INCLUDE \((.*?)\))?(?: WHERE (.*))?$", text)
    assert named, text
    parts = [column.strip().replace(" DESC", " desc") for column in named[1].split(",")]
    quoted = ", ".join(f'"{part}"' for part in parts)
    if text.startswith("PRIMARY KEY"):
        return f"class Meta: primary_key = ({quoted},)"
    if text.startswith("UNIQUE"):
        return f'class Meta: constraints = (UniqueConstraint(({quoted},), "{name}"),)'
    where = f', "{named[3]}"' if named[3] else ""
    if "UNIQUE INDEX" in text:
        return f'class Meta: constraints = (UniqueIndex(({quoted},), "{name}"{where}),)'
    options = f', where="{named[3]}"' if named[3] else ""
    options += f", include={tuple(named[2].split(', '))}" if named[2] else ""
    return f'class Meta: indexes = (TableIndex({quoted}, name="{name}"{options}),)'


def _field(name: str, text: str) -> str:
    kind, _, default = text.partition(" default ")
    options = [] if kind.endswith(" not null") else ["null=True"]
    kind = kind.removesuffix(" not null")
    if default:
        options.append(f"db_default={_constant(default)}")
    enum = (
        ""
        if kind not in ("text", "smallint")
        else "  # or Choice(<enum>, ...); a reference to another table: reference(...)"
    )
    return f"{name} = {FIELDS.get(kind, '<a field of models/tables/fields.py>(')}{', '.join(options)}){enum}"


def _constant(default: str) -> str:
    if default in DEFAULTS:
        return DEFAULTS[default]
    if re.fullmatch(r"-?\d+", default):
        return default
    quoted = re.match(r"\(?'?(.*?)'?\)?::", default)
    if quoted and default.endswith("::text"):
        return f'"{quoted[1]}"'
    if quoted and re.fullmatch(r"-?[\d.]+", quoted[1]):
        return quoted[1]
    return f'SqlDefault("{default.split("::")[0]}")'
