"""Extensions of a model's `Meta`: indexes by PostgreSQL expressions, and keys of several columns.

`Meta.primary_key` names the columns of a composite primary key, and `Meta.foreign_keys` lists the foreign keys of
several columns. Tortoise reads neither; the comparison of models and database does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.tortoise_internals import is_stored


class TableIndex(Index):
    """A named index of PostgreSQL expressions (`id desc`), optionally partial (`where`) or covering (`include`)."""

    def __init__(self, *columns: str, name: str, where: str = "", include: Sequence[str] = ()) -> None:
        super().__init__(fields=columns, name=name)
        self.fields = []  # Tortoise requires field names here, and an expression is not one
        self.columns = list(columns)
        if include:
            self.extra += f" INCLUDE ({', '.join(include)})"
        if where:
            self.extra += f" WHERE {where}"

    @property
    def field_names(self) -> list[str]:
        return self.columns

    def describe(self) -> dict[str, Any]:
        """Return the description of the index from which aerich builds its CREATE statement."""
        return super().describe() | {"expressions": self.columns}


class SearchIndex(TableIndex):
    """A GIN index, for searches by contained values, without a pending list, which every search would have to scan."""

    INDEX_TYPE = "GIN"

    def __init__(self, *columns: str, name: str) -> None:
        super().__init__(*columns, name=name)
        self.extra += " WITH (fastupdate = off)"


class UniqueIndex(UniqueConstraint):
    """A unique index, which unlike a constraint may be partial. It is listed in `Meta.constraints`."""


class ForeignKey(NamedTuple):
    """A foreign key of several columns."""

    name: str
    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


class CompositeKey(Model):
    """A table whose primary key has several columns, or none.

    Tortoise supports keys of one column only: the field marked as the key is one of several, and an UPDATE or DELETE by
    it alone would affect other rows too. So instances can be inserted and read. Rows are changed by named statements,
    or by a filter with all columns of the key.
    """

    class Meta:
        abstract = True

    async def save(self, *args: Any, **options: Any) -> None:
        """Insert a new row. Raises NotImplementedError for a stored row."""
        if is_stored(self):
            self._refuse("save")
        await super().save(*args, **options)

    async def delete(self, *args: Any, **options: Any) -> NoReturn:
        """Raises NotImplementedError."""
        self._refuse("delete")

    async def refresh_from_db(self, *args: Any, **options: Any) -> NoReturn:
        """Raises NotImplementedError."""
        self._refuse("refresh_from_db")

    @classmethod
    def bulk_update(cls, *args: Any, **options: Any) -> NoReturn:
        """Raises NotImplementedError."""
        cls._refuse("bulk_update")

    @classmethod
    def _refuse(cls, what: str) -> NoReturn:
        raise NotImplementedError(
            f"{cls.__name__}.{what}: Tortoise would find the row by one column of its key; "
            "use a statement, or filter() by every column of the key"
        )
