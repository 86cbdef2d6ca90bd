"""Presets: the rules of known firms as data, each with its public source page and the day it was read."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """`program` is the API's CreateProgramInput; `notes` name the source of each part and what is left out."""

    name: str
    title: str
    source: str
    retrieved_on: date
    notes: list[str]
    program: dict[str, Any]


@cache
def all_presets() -> tuple[Preset, ...]:
    """Return all presets, by name."""
    found = (file for file in files("domain").joinpath("presets").iterdir() if file.name.endswith(".json"))
    return tuple(sorted((_read(file.name, file.read_text("utf-8")) for file in found), key=lambda one: one.name))


def _read(file_name: str, text: str) -> Preset:
    data = json.loads(text)
    day = date.fromisoformat(data.pop("retrieved_on"))
    return Preset(name=file_name.removesuffix(".json"), retrieved_on=day, **data)
