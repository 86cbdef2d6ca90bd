"""How a setting is declared, so that docs/settings.md can be generated from it.

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
NOT_SHOWN = frozenset({"", "None", "{}", "()"})  # defaults that are nothing


@dataclass(frozen=True, slots=True)
class Shown:
    """What docs/settings.md says of a setting where its name, its type and its default do not: Markdown."""

    unit: str | None = None
    default: str | None = None


Text = Annotated[str, Shown("text")]
Address = Annotated[str, Shown("URL")]
RequestRate = Annotated[float, Shown("requests a second")]
ProcessorShare = Annotated[float, Shown("processor seconds a second")]
Share = Annotated[float, Shown("share")]


class Group(BaseSettings):
    """Each field is the environment variable PROPDESK_<FIELD>, or what its `validation_alias` names."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
        defer_build=True,  # of the groups only the class that joins them is ever used
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as an operator reads it; all but `variable` is Markdown."""

    variable: str
    default: str
    unit: str
    effect: str


def settings_of(group: type[Group]) -> Iterator[Setting]:
    """The settings that a group declares itself, in their order."""
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
    """What stands beside the types of which a type is made, as in `Address | None`."""
    for part in get_args(annotation):
        if isinstance(part, Shown):
            yield part
        elif get_origin(annotation) is not Literal:
            yield from _shown(part)


def _unit(name: str, annotation: Any) -> str:
    """The unit of a number, by its name; the values of what has few."""
    if annotation is bool:
        return "`true`, `false`"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    return next((word for word in reversed(name.split("_")) if NAMED_UNIT.fullmatch(word)), "")


def _range(field: FieldInfo) -> str:
    """The values a number may have, as its constraints say."""
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
