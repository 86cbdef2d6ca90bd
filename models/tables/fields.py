"""Field types for PostgreSQL types that Tortoise lacks or names differently."""

import datetime as dt
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Literal, TypeVar, overload

from tortoise import fields
from tortoise.fields import NO_ACTION, Field, OnDelete
from tortoise.fields.db_defaults import SqlDefault

from models.tables.tortoise_internals import DeskIdentity as DeskIdentity
from models.tables.tortoise_internals import Identity as Identity

T_STR = TypeVar("T_STR", str, str | None)
T_DECIMAL = TypeVar("T_DECIMAL", Decimal, Decimal | None)
T_ENUM = TypeVar("T_ENUM")
E = TypeVar("E", bound=Enum)

NOW = SqlDefault("now()")  # when the transaction began
CLOCK = SqlDefault("clock_timestamp()")


class Text(Field[T_STR]):
    """`text`. The API and CHECK constraints limit the length, not the type."""

    field_type = str
    SQL_TYPE = "TEXT"

    @overload
    def __init__(self: "Text[str]", *, null: Literal[False] = False, **options: Any) -> None: ...
    @overload
    def __init__(self: "Text[str | None]", *, null: Literal[True], **options: Any) -> None: ...
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)


class Money(fields.DecimalField[T_DECIMAL]):
    """The domain `money8`: numeric(28, 8) without NaN and infinities."""

    @overload
    def __init__(self: "Money[Decimal]", *, null: Literal[False] = False, **options: Any) -> None: ...
    @overload
    def __init__(self: "Money[Decimal | None]", *, null: Literal[True], **options: Any) -> None: ...
    def __init__(self, **options: Any) -> None:
        super().__init__(28, 8, **options)  # type: ignore[misc] # its overloads know no subclass

    @property
    def SQL_TYPE(self) -> str:  # type: ignore[override] # noqa: N802 - Tortoise's name for it
        return "money8"


class Cost(fields.DecimalField[T_DECIMAL]):
    """The domain `cost18`: numeric(38, 18) without NaN and infinities."""

    @overload
    def __init__(self: "Cost[Decimal]", *, null: Literal[False] = False, **options: Any) -> None: ...
    @overload
    def __init__(self: "Cost[Decimal | None]", *, null: Literal[True], **options: Any) -> None: ...
    def __init__(self, **options: Any) -> None:
        super().__init__(38, 18, **options)  # type: ignore[misc] # its overloads know no subclass

    @property
    def SQL_TYPE(self) -> str:  # type: ignore[override] # noqa: N802 - Tortoise's name for it
        return "cost18"


class Rest(fields.DecimalField[T_DECIMAL]):
    """The domain `rest`: a rest of rounding, between -1e-8 and 1e-8, with all decimal places."""

    @overload
    def __init__(self: "Rest[Decimal]", *, null: Literal[False] = False, **options: Any) -> None: ...
    @overload
    def __init__(self: "Rest[Decimal | None]", *, null: Literal[True], **options: Any) -> None: ...
    def __init__(self, **options: Any) -> None:
        super().__init__(52, 51, **options)  # type: ignore[misc] # its overloads know no subclass

    @property
    def SQL_TYPE(self) -> str:  # type: ignore[override] # noqa: N802 - Tortoise's name for it
        return "rest"


class Price(fields.DecimalField[T_DECIMAL]):
    """The domain `price13`: up to twelve decimal places, and one more for a mid; without NaN and infinities."""

    @overload
    def __init__(self: "Price[Decimal]", *, null: Literal[False] = False, **options: Any) -> None: ...
    @overload
    def __init__(self: "Price[Decimal | None]", *, null: Literal[True], **options: Any) -> None: ...
    def __init__(self, **options: Any) -> None:
        super().__init__(28, 13, **options)  # type: ignore[misc] # its overloads know no subclass

    @property
    def SQL_TYPE(self) -> str:  # type: ignore[override] # noqa: N802 - Tortoise's name for it
        return "price13"


class Choice(Field[T_ENUM]):
    """A member of an enum, stored by its value: an IntEnum as `smallint`, any other as `text`."""

    @overload
    def __init__(self: "Choice[E]", enum_type: type[E], *, null: Literal[False] = False, **options: Any) -> None: ...
    @overload
    def __init__(self: "Choice[E | None]", enum_type: type[E], *, null: Literal[True], **options: Any) -> None: ...
    def __init__(self, enum_type: type[Any], **options: Any) -> None:
        super().__init__(**options)
        self.field_type = enum_type

    @property
    def SQL_TYPE(self) -> str:  # type: ignore[override] # noqa: N802 - Tortoise's name for it
        return "SMALLINT" if issubclass(self.field_type, IntEnum) else "TEXT"

    def to_db_value(self, value: Any, instance: Any) -> Any:
        """Return the member's value; also for the bare value of a member. Raises ValueError for any other."""
        return None if value is None else self.field_type(value).value


class LocalTime(Field[dt.time], dt.time):
    """`time`: a time of day in the time zone of the program. Tortoise's TimeField would make it UTC."""

    SQL_TYPE = "TIME"

    def to_python_value(self, value: dt.time) -> dt.time:
        """Return the value as the driver reads it; the inherited method would call `time(value)`."""
        return value


class TransactionId(Field[int], int):
    """`xid8`: the id of a PostgreSQL transaction."""

    SQL_TYPE = "XID8"


def reference(
    model: str, *, column: str | None = None, on_delete: OnDelete = NO_ACTION, **options: Any
) -> fields.ForeignKeyRelation[Any]:
    """Return a relation to `model` in the given column, by default `<relation>_id`.

    It is a foreign key unless `db_constraint=False`. It has a reverse relation only with `related_name`.
    """
    options = {"related_name": False} | options
    relation: Any = fields.ForeignKeyField(f"models.{model}", source_field=column, on_delete=on_delete, **options)
    return relation  # type: ignore[no-any-return] # one type for nullable and other relations: rows hold ids
