"""What a table's `Meta` says beyond Tortoise: indexes in PostgreSQL's own words, and keys of several columns.

`Meta.primary_key` names the columns of a primary key that is not the single field marked so, and `Meta.foreign_keys`
has the foreign keys of several columns. Tortoise reads neither; the comparison of models and database does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.tortoise_internals import is_stored


class TableIndex(Index):
    """An index of columns, each in PostgreSQL's words (`id desc`), named, perhaps partial or covering."""

    def __init__(self, *columns: str, name: str, where: str = "", include: Sequence[str] = ()) -> None:
        super().__init__(fields=columns, name=name)
        self.fields = []  # Tortoise looks for fields of these names, and an expression is none
        self.columns = list(columns)
        if include:
            self.extra += f" INCLUDE ({', '.join(include)})"
        if where:
            self.extra += f" WHERE {where}"

    @property
    def field_names(self) -> list[str]:
        return self.columns

    def describe(self) -> dict[str, Any]:
        """Return what aerich keeps of the index, and from which it makes the statement that creates it."""
        return super().describe() | {"expressions": self.columns}


class SearchIndex(TableIndex):
    """An index by which rows are found that contain something, as a bitmap: GIN. Without a list of pending entries,
    which each search would have to look through.
    """

    INDEX_TYPE = "GIN"

    def __init__(self, *columns: str, name: str) -> None:
        super().__init__(*columns, name=name)
        self.extra += " WITH (fastupdate = off)"


class UniqueIndex(UniqueConstraint):
    """Uniqueness by an index instead of a constraint: it may be partial. Stands in `Meta.constraints`."""


class ForeignKey(NamedTuple):
    """A foreign key of several columns."""

    name: str
    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


class CompositeKey(Model):
    """A row whose primary key has several columns, or none.

    Tortoise knows keys of one column only: the field marked as the key is one of several, and an UPDATE or DELETE by
    it alone would reach other rows too. So an instance can be inserted and read; whatever changes a row is a named
    statement, or a filter that names all columns of the key.
    """

    class Meta:
        abstract = True

    async def save(self, *args: Any, **options: Any) -> None:
        """Insert a new row. Raises NotImplementedError for one that is stored."""
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
