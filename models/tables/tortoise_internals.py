"""Names of Tortoise's models and fields that it does not document as public, used here alone.

`tests/models/test_tortoise_internals.py` fails with the name when a new version of Tortoise changes one. Those of its
connections are in `config/tortoise_internals.py`, because `models` does not import `config`.
"""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Identity(fields.BigIntField):
    """The primary key `id` of rows that the API shows: a trigger takes the next number of the row's brand."""

    def __init__(self, **options: Any) -> None:
        super().__init__(primary_key=True, **options)

    class _db_postgres:  # noqa: N801 - Tortoise's name for it
        GENERATED_SQL = "BIGINT NOT NULL PRIMARY KEY"


class DeskIdentity(fields.BigIntField):
    """The primary key `id` of rows without a brand, or that nobody is shown: an identity column of the desk."""

    def __init__(self, **options: Any) -> None:
        super().__init__(primary_key=True, **options)

    class _db_postgres:  # noqa: N801 - Tortoise's name for it
        GENERATED_SQL = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"


def is_stored(row: Model) -> bool:
    """Return whether the row was read from the database or saved to it."""
    return row._saved_in_db  # noqa: SLF001 - no public name
