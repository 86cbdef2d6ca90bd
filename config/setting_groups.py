"""Declaration of settings, and their description, from which docs/settings.md is generated.

A group of settings is a class whose docstring is the group's heading. A setting is a field; the string below it is its
effect. Its unit is the word in its name that NAMED_UNIT knows, else the `Shown` beside its type says it; its range
and its default are those of `Field`, and `Shown` words a default that depends on something else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "PROPDESK_"
NAMED_UNIT = re.compile(
    "seconds|minutes|hours|days|milliseconds|bytes|characters|rows|connections|batches|quotes|challenges|purchases"
    "|refusals|failures|documents|tokens|values|fragments|aliases|actions|errors|shards|port"
)
NOT_SHOWN = frozenset({"", "None", "{}", "()"})  # defaults that mean "not set"


@dataclass(frozen=True, slots=True)
class Shown:
    """Markdown for docs/settings.md that a setting's name, type and default do not express."""

    unit: str | None = None
    default: str | None = None


Text = Annotated[str, Shown("text")]
Address = Annotated[str, Shown("URL")]
RequestRate = Annotated[float, Shown("requests a second")]
ProcessorShare = Annotated[float, Shown("processor seconds a second")]
Share = Annotated[float, Shown("share")]


class Group(BaseSettings):
    """A group of settings. A field's variable is PROPDESK_<FIELD>, or its `validation_alias`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
        defer_build=True,  # only the class that joins all groups is instantiated
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """The documentation of one setting; all fields except `variable` are Markdown."""

    variable: str
    default: str
    unit: str
    effect: str


def settings_of(group: type[Group]) -> Iterator[Setting]:
    """Yield the settings that a group itself declares, in order."""
    for name in group.__annotations__:
        if name in group.model_fields:
            yield _setting(name, group.model_fields[name])


def _setting(name: str, field: FieldInfo) -> Setting:
    shown = list(_shown(field.annotation)) + [one for one in field.metadata if isinstance(one, Shown)]
    units = [one.unit for one in shown if one.unit]
    defaults = [one.default for one in shown if one.default]
    unit = units[-1] if units else _unit(name, field.annotation)
    range_ = _range(field)
    return Setting(
        str(field.validation_alias or f"{PREFIX}{name.upper()}"),
        defaults[-1] if defaults else _default(field),
        ", ".join(part for part in (unit, range_) if part),
        " ".join((field.description or "").split()),
    )


def _shown(annotation: Any) -> Iterator[Shown]:
    """Yield the `Shown` annotations of a type and of its parts, as in `Address | None`."""
    for part in get_args(annotation):
        if isinstance(part, Shown):
            yield part
        elif get_origin(annotation) is not Literal:
            yield from _shown(part)


def _unit(name: str, annotation: Any) -> str:
    """Return the unit of a number, or the permitted values of a boolean or literal."""
    if annotation is bool:
        return "`true`, `false`"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    return next((word for word in reversed(name.split("_")) if NAMED_UNIT.fullmatch(word)), "")


def _range(field: FieldInfo) -> str:
    """Return the range of a number from its constraints."""
    low, above, high = (
        next((getattr(one, word) for one in field.metadata if isinstance(one, kind)), None)
        for kind, word in ((Ge, "ge"), (Gt, "gt"), (Le, "le"))
    )
    if low is not None and high is not None:
        return f"{low} to {high}"
    bounds = {"at least": low, "more than": above, "at most": high}
    return ", ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined or str(value) in NOT_SHOWN:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, str) else str(value)
