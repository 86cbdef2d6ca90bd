"""docs/settings.md is generated from the settings, and each of them says what it is."""

import re
from itertools import chain

from config.setting_groups import settings_of
from config.settings import GROUPS, Settings
from tests.house.sources import ROOT
from tools.export_settings import settings_text


def test_the_document_is_in_step_with_the_code() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_text(), "run: propdesk export-settings"


def test_every_setting_is_in_one_group() -> None:
    declared = list(chain.from_iterable(settings_of(group) for group in GROUPS))
    assert len(declared) == len(Settings.model_fields)
    assert {one.variable for one in declared} == {
        str(field.validation_alias or f"PROPDESK_{name.upper()}") for name, field in Settings.model_fields.items()
    }


def test_every_setting_says_its_unit_and_its_effect() -> None:
    silent = {
        one.variable: one
        for group in GROUPS
        for one in settings_of(group)
        if not one.effect or not one.unit or re.match(r"at |more |\d", one.unit)
    }
    assert not silent, (
        "a setting is followed by a string, its effect; its unit is the word of its name that NAMED_UNIT in "
        'config/setting_groups.py knows, or Annotated[..., Shown("unit")]'
    )


def test_no_cell_ends_its_row_early() -> None:
    cells = [cell for group in GROUPS for one in settings_of(group) for cell in (one.default, one.unit, one.effect)]
    assert not [cell for cell in cells if "|" in cell]
