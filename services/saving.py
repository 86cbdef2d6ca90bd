"""Saving objects: a field that is left out stays, a version may be expected, and the result lists the changes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from domain.errors import InvalidInput, VersionConflict
from domain.ledger import Facts
from domain.validation import api_name


class FieldChange(NamedTuple):
    """One field of a saved object before and after, as text; None if it had no value or the object is new."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SavedObject:
    """A saved object's key and its audit facts; `before` is None for a new one."""

    key: int | str
    before: Facts | None
    after: Facts

    @property
    def changes(self) -> list[FieldChange]:
        """The fields that differ, in the order of the facts."""
        return field_changes(self.before, self.after)


def field_changes(before: Facts | None, after: Facts) -> list[FieldChange]:
    """Return the fields that differ, nested ones as `policy.leverageMax`, in the order of `after`."""
    old, new = _flat(before or {}), _flat(after)
    names = dict.fromkeys([*new, *old])
    return [FieldChange(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str | None]:
    flat: dict[str, str | None] = {}
    for name, value in facts.items():
        path = prefix + api_name(name)
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}.")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            for place, item in enumerate(value):
                flat |= _flat(item, f"{path}[{place}].")
        else:
            flat[path] = _text(value)
    return flat


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def check_version(expected: int | None, actual: int) -> None:
    """Raise VersionConflict unless the save was made from this version; 0 stands for an object that does not exist."""
    if expected is not None and expected != actual:
        raise VersionConflict("expectedVersion", expected=expected, actual=actual)


def filled_fields(
    stored: Mapping[str, Any] | None, values: Mapping[str, Any], defaults: Mapping[str, Any], needed: Collection[str]
) -> dict[str, Any]:
    """Return all fields of an object: the value to save, else the stored one, else the default.

    A value of None stands for the default. Raises InvalidInput for None without a default, and for a field without a
    value that a new object needs.
    """
    for name, value in values.items():
        if value is None and name not in defaults:
            raise InvalidInput(api_name(name), reason="cannot be null; leave it out to keep the stored value")
    fields = {**(defaults if stored is None else stored)}
    fields |= {name: defaults[name] if value is None else value for name, value in values.items()}
    for name in needed:
        if name not in fields:
            raise InvalidInput(api_name(name), reason="is needed for a new object")
    return fields
