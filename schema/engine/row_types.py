"""API types that are built from rows: a field without a method has the value of the column with its name.

A type declares the listing of its rows, so a field that leads to another type does not have to import that type.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from strawberry import ID
from strawberry.types.field import StrawberryField

from services.telemetry import UNREADABLE_ROWS
from services.views.lists import Listing, Row

log = logging.getLogger(__name__)

_TYPES: dict[Listing, type["FromRow"]] = {}


class FromRow:
    """A type that is built from the rows of a listing."""

    def __init_subclass__(cls, listing: Listing | None = None) -> None:
        if listing is not None:
            _TYPES[listing] = cls

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the object of a row; ids become text, integers the members of their enum."""
        return cls(**{name: row[name] if adapt is None else adapt(row[name]) for name, adapt in _plan_of(cls)})


def object_of_row(listing: Listing, row: Mapping[str, Any] | None) -> Any:
    """Return the object of a row of the listing; None for no row."""
    return None if row is None else _TYPES[listing].of(row)


def readable_objects(listing: Listing, rows: Iterable[Row]) -> Iterator[tuple[Row, Any]]:
    """Yield the rows with their objects. Rows that this version cannot read are left out, logged and counted."""
    kind = _TYPES[listing]
    for row in rows:
        try:
            item = kind.of(row)
        except (LookupError, TypeError, ValueError):
            UNREADABLE_ROWS.labels(kind.__name__).inc()
            log.exception(
                "a row of %s is left out of a list because it cannot be read: id %s", kind.__name__, row.get("id")
            )
        else:
            yield row, item


class RowObjects:
    """The rows of a listing; iterating over it builds their objects."""

    __slots__ = ("_listing", "rows")

    def __init__(self, listing: Listing, rows: Sequence[Row]) -> None:
        self._listing = listing
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return (item for _, item in readable_objects(self._listing, self.rows))


def adapters(cls: type[FromRow]) -> dict[str, Callable[[Any], Any] | None]:
    """Return by column the function that turns its value into the field's; None if the value stays."""
    return dict(_plan_of(cls))


def _plan_of(cls: Any) -> list[tuple[str, Callable[[Any], Any] | None]]:
    return _plan(cls)


@cache
def _plan(cls: type) -> list[tuple[str, Callable[[Any], Any] | None]]:
    hints = get_type_hints(cls)
    plain = [f for f in fields(cls) if not (isinstance(f, StrawberryField) and f.base_resolver)]
    return [(f.name, _adapter(hints[f.name])) for f in plain]


def _adapter(hint: Any) -> Callable[[Any], Any] | None:
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        adapt = _adapter(next(arg for arg in get_args(hint) if arg is not NoneType))
        return adapt and (lambda value: None if value is None else adapt(value))
    if hint is ID:
        return str
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {member.value: member for member in hint}.__getitem__
    return None
