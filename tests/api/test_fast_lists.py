"""The fast path of lists against the plain executor: the answers are the same."""

import asyncio
import gc
import json
import random
from collections.abc import Awaitable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, NewType

import pytest
import strawberry
from graphql import ExecutionResult, execute, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from strawberry import ID
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Stock

from models.views.visibility import of_desk
from schema.engine.computed_fields import computed
from schema.engine.executor import Executor
from schema.engine.fast_lists import list_compiler
from schema.engine.fast_lists.list_compiler import BULK_SERIALIZERS
from schema.engine.relations import RowLink
from schema.engine.request_context import Context
from schema.engine.row_types import FromRow, RowObjects
from schema.engine.scalars import SCALARS
from schema.engine.strawberry_internals import definition_of, graphql_schema
from schema.engine.time_slices import TimeSlices
from services.views.lists import Listing

Fussy = NewType("Fussy", int)
LISTING = Listing(columns="", source="", visibility=of_desk)
PARTS = {number: {"id": number, "weight": Decimal(number) / 8, "colour": number % 2} for number in range(4)}


def _fussy(value: int) -> int | None:
    if value < 0:
        raise ValueError(f"{value} is negative")
    return value or None


class Colour(Enum):
    RED = 0
    BLUE = 1


@dataclass(frozen=True)
class Store:
    """A source of parts: odd numbers are not visible, and reading number 2 fails."""

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        if 2 in keys:
            raise ValueError("the store is shut")
        return {key: PARTS[key] for key in keys if key % 2 == 0}


async def _fetch(number: int | None) -> Any:
    if number == 2:
        raise ValueError("the store is shut")
    return None if number is None or number % 2 else Part.of(PARTS[number])


@strawberry.type
class Part(FromRow, listing=LISTING):
    id: ID
    weight: Decimal | None
    colour: strawberry.enum(Colour)  # type: ignore[valid-type]

    @computed("A method.")
    def double(self) -> Decimal:
        return 2 * self.weight if self.weight is not None else Decimal(0)


@strawberry.type
class Thing:
    name: str
    count: int
    fussy: Fussy
    maybe_fussy: Fussy | None
    facts: JSON | None
    colours: list[Colour | None]
    inner: "Thing | None"
    inners: "list[Thing]"
    maybe_inners: "list[Thing | None] | None"
    number: strawberry.Private[int | None]

    @computed("A method that may raise.")
    def shouted(self) -> str | None:
        if self.count < 0:
            raise ValueError("it has lost its voice")
        return self.name.upper()

    @computed("A link.", RowLink(Store(), ("number",), lambda found, keys: list(map(found.get, keys))))
    async def part(self) -> Part | None:
        found: Part | None = await _fetch(self.number)
        return found

    @computed(
        "A link to what must be there.", RowLink(Store(), ("number",), lambda found, keys: list(map(found.get, keys)))
    )
    async def sure_part(self) -> Part:
        found: Part = await _fetch(self.number)
        return found

    @computed("What is awaited.")
    async def awaited(self) -> int:
        return self.count


@strawberry.type
class Query:
    things: list[Thing]
    maybe_things: list[Thing | None] | None
    parts: list[Part]


SCHEMA = strawberry.Schema(
    query=Query,
    config=StrawberryConfig(
        scalar_map={**SCALARS, Fussy: strawberry.scalar(name="Fussy", serialize=_fussy, parse_value=int)}
    ),
)
GRAPHQL = graphql_schema(SCHEMA)
LEAVES = {
    "Query": ("__typename",),
    "Thing": ("__typename", "name", "count", "fussy", "maybeFussy", "facts", "colours", "shouted", "awaited"),
    "Part": ("__typename", "id", "weight", "colour", "double"),
}
OBJECTS = {
    "Thing": {"inner": "Thing", "inners": "Thing", "maybeInners": "Thing", "part": "Part", "surePart": "Part"},
    "Part": {},
    "Query": {"things": "Thing", "maybeThings": "Thing", "parts": "Part"},
}
SWITCHES = ("", "", "", "@skip(if: $s)", "@include(if: $i)", "@include(if: true) @skip(if: $s)", "@skip(if: true)")


@st.composite
def _selection(draw: DrawFn, of: str, depth: int) -> str:
    """Draw a selection of a type with aliases, directives, fragments and repeated fields."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        switch = draw(st.sampled_from(SWITCHES))
        kinds = ["field"] * 5 + ["inline", "spread"] if depth else ["leaf"]
        kind = draw(st.sampled_from(kinds))
        if kind == "inline":
            condition = draw(st.sampled_from(("", f"on {of}")))
            parts.append(f"... {condition} {switch} {{ {draw(_selection(of, depth - 1))} }}")
        elif kind == "spread" and of != "Query":
            parts.append(f"...{of}{draw(st.integers(1, 2))} {switch}")
        else:
            names = [*(OBJECTS[of] if depth else ()), *(LEAVES[of] if of != "Query" or not depth else ())]
            name = draw(st.sampled_from(names))
            alias = draw(st.sampled_from(("", "", f"as_{name}:")))
            inner = f"{{ {draw(_selection(OBJECTS[of][name], depth - 1))} }}" if name in OBJECTS[of] else ""
            parts.append(f"{alias} {name} {switch} {inner}")
    return " ".join(parts)


@st.composite
def _document(draw: DrawFn) -> str:
    fragments = [
        f"fragment {of}{number} on {of} {{ {draw(_selection(of, 0))} }}"
        for of in ("Thing", "Part")
        for number in (1, 2)
    ]
    return f"query ($s: Boolean!, $i: Boolean!) {{ {draw(_selection('Query', 3))} }} {' '.join(fragments)}"


def _a_thing(**changes: Any) -> Thing:
    plain: dict[str, Any] = {
        "name": "a", "count": 1, "fussy": 1, "maybe_fussy": None, "facts": {"a": 1}, "colours": [None, Colour.BLUE],
        "inner": None, "inners": [], "maybe_inners": None, "number": 0,
    }  # fmt: skip
    return Thing(**plain | changes)


class Stuff:
    """Invented objects, determined by the seed; `odd` is the share of invalid values."""

    def __init__(self, seed: int, odd: float) -> None:
        self._random = random.Random(seed)
        self._odd = odd

    def _one(self, usual: Sequence[Any], odd: Sequence[Any]) -> Any:
        return self._random.choice(odd if self._random.random() < self._odd else usual)

    def thing(self, depth: int) -> Thing:
        return Thing(
            name=self._one(("a", "b"), (None, 1.5)),
            count=self._one((0, 1, 5), (-1, 1 << 40, None)),
            fussy=self._one((1, 2), (-1, 0)),
            maybe_fussy=self._one((None, 1), (-1, 0)),
            facts=self._one((None, {"a": [1, None]}, '{"b": 1}'), ("null",)),
            colours=self._one(([], [None], [*Colour, None]), (None, [1.5])),
            inner=self.thing(depth - 1) if depth and self._random.random() < 0.5 else None,
            inners=self.things(depth, ()),
            maybe_inners=self.things(depth, (None,)) if self._random.random() < 0.7 else None,
            number=self._one((None, 0, 0, 0), (1, 2)),
        )

    def things(self, depth: int, others: Sequence[Any]) -> list[Any]:
        many = self._random.choice((0, 1, 2, 2, 3)) if depth else 0
        return [self._random.choice((self.thing(depth - 1), *others)) for _ in range(many)]

    def root(self) -> Query:
        heavy = [{"id": 9, "weight": "heavy", "colour": 1}]
        parts = [*PARTS.values(), {"id": 9, "weight": None, "colour": 0}, *(heavy if self._odd else ())]
        rows: Any = RowObjects(LISTING, self._random.sample(parts, k=3))
        return Query(things=self.things(3, ()), maybe_things=self.things(3, (None,)), parts=rows)


async def _answer(
    executor: type[Stock], text: str, root: Query, variables: dict[str, Any], slices: TimeSlices | None = None
) -> ExecutionResult:
    context = Context(events=None, slices=slices or TimeSlices())  # type: ignore[arg-type] # nothing is subscribed to
    answered = execute(
        GRAPHQL,
        parse(text),
        root_value=root,
        context_value=context,
        variable_values=variables,
        executor_class=executor,
    )
    result = await answered if isinstance(answered, Awaitable) else answered
    assert isinstance(result, ExecutionResult)
    return result


def _told(result: ExecutionResult) -> tuple[str, list[str]]:
    """The data in its order, and every error with its path and its place.

    Of several nulls that make the same ancestor null, an executor may report any, and one or more: of these errors the
    ancestor alone is compared.
    """
    shown = {json.dumps(_ancestor(result.data, error.path or []) or error.formatted) for error in result.errors or ()}
    return json.dumps(result.data), sorted(shown)


def _ancestor(data: Any, path: Sequence[str | int]) -> list[str | int] | None:
    """Return the path of the null that an error caused above its own field; None if it is its own field."""
    for place, key in enumerate(path):
        if data is None:
            return ["null at", *path[:place]]
        data = data[key]
    return None


@given(text=_document(), seed=st.integers(0, 1 << 32), odd=st.sampled_from((0, 0.02, 0.1)), switch=st.booleans())
@settings(max_examples=100)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_random_documents_are_answered_alike(text: str, seed: int, odd: float, switch: bool) -> None:
    async def both() -> None:
        root, variables = Stuff(seed, odd).root(), {"s": switch, "i": seed % 3 > 0}
        ordinary = _told(await _answer(Stock, text, root, variables))
        assert _told(await _answer(Executor, text, root, variables)) == ordinary
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(list_compiler, "PORTION_FIELDS", 2)
            assert _told(await _answer(Executor, text, root, variables, _always_over())) == ordinary
        async with asyncio.timeout(30):
            while len(asyncio.all_tasks()) > 1:  # what became null before it was resolved comes to its end
                await asyncio.sleep(0)

    asyncio.run(both())
    gc.collect(1)  # graphql-core drops what siblings of a failed field were to await; the warnings are of this test


def _always_over() -> TimeSlices:
    """Return slices that are over as soon as they begin."""
    return TimeSlices(count().__next__)


class Counting(TimeSlices):
    """Slices that are over at once, with the number of fields answered in each."""

    def __init__(self, fields: list[None]) -> None:
        super().__init__()
        self._fields = fields
        self.each: list[int] = []

    def is_over(self) -> bool:
        return True

    async def wait(self, client: Hashable) -> None:
        self.each.append(len(self._fields))
        self._fields.clear()
        await super().wait(client)


@pytest.mark.parametrize(
    ("text", "many", "at_once"),
    [
        ("{ things { shouted } }", 10_000, list_compiler.PORTION_FIELDS),
        ("{ things { shouted inners { shouted } } }", 3_000, list_compiler.PORTION_FIELDS),
        ("{ things { shouted awaited } }", 300, 1),
    ],
)
async def test_a_long_list_is_answered_in_slices_by_columns_and_field_by_field(
    monkeypatch: pytest.MonkeyPatch, text: str, many: int, at_once: int
) -> None:
    answered: list[None] = []
    kind: Any = GRAPHQL.type_map["Thing"]
    method = definition_of(kind.fields["shouted"]).base_resolver
    plain = method.wrapped_func

    def shouted(thing: Thing) -> Any:
        answered.append(None)
        return plain(thing)

    monkeypatch.setattr(method, "wrapped_func", shouted)
    things = [_a_thing(inners=[_a_thing(name="b"), _a_thing(name="c")]) for _ in range(many)]
    slices = Counting(answered)
    result = await _answer(Executor, text, Query(things=things, maybe_things=None, parts=[]), {}, slices)
    fields = sum(slices.each) + len(answered)
    assert (result.errors, len(result.data["things"])) == (None, many)  # type: ignore[index] # it has data
    assert fields == many * text.count("shouted") * (2 if "inners" in text else 1) - (many if "inners" in text else 0)
    assert len(slices.each) >= fields // (3 * at_once)
    assert max(slices.each) <= 3 * at_once, (
        "a portion, one of what its objects hold, and the first that is begun at once"
    )


async def test_no_more_errors_are_answered_than_an_answer_may_have() -> None:
    root = Query(things=[], maybe_things=[_a_thing(count=-1) for _ in range(1_500)], parts=[])
    result = await _answer(Executor, "{ maybeThings { shouted awaited } }", root, {})
    assert result.errors
    *errors, last = result.errors
    assert [error.path for error in errors] == [["maybeThings", number, "shouted"] for number in range(1_000)]
    assert (last.path, (last.extensions or {})["limit"]) == (None, "errors")
    assert result.data == {"maybeThings": [{"shouted": None, "awaited": -1}] * 1_500}


class ColumnsAlone(Executor):
    """Make the test fail if a list takes the plain path."""

    def complete_iterable_value(self, *given: Any) -> Any:
        raise AssertionError("a list was answered in the ordinary way")


WHOLE = """query ($s: Boolean!) {
  things { kind: __typename name count ...more inner { name inners { name } } part { id ...part } }
  parts { ...part double weight @skip(if: $s) }
}
fragment more on Thing { fussy maybeFussy facts colours shouted maybeInners { count part { colour } } }
fragment part on Part { id ... @include(if: $s) { colour } }"""


@given(st.lists(st.none() | st.datetimes(timezones=st.just(UTC)), max_size=5))
def test_instants_answered_at_once_are_written_alike(instants: list[datetime | None]) -> None:
    kind, answer = BULK_SERIALIZERS["DateTime"]
    assert kind is datetime
    assert answer(instants) == [instant and instant.isoformat() for instant in instants]


@pytest.mark.parametrize("skips", [False, True])
async def test_lists_of_what_is_known_are_answered_by_columns(skips: bool) -> None:
    inner = _a_thing(inners=[_a_thing(name="b")], number=None)
    things = [_a_thing(inner=inner, maybe_inners=[None, inner, _a_thing(number=1)]), _a_thing(number=None)]
    root = Query(things=things, maybe_things=None, parts=RowObjects(LISTING, list(PARTS.values())))  # type: ignore[arg-type]
    ordinary = await _answer(Stock, WHOLE, root, {"s": skips})
    assert ordinary.errors is None
    assert _told(await _answer(ColumnsAlone, WHOLE, root, {"s": skips})) == _told(ordinary)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{ things { fussy } }", ["things", 1, "fussy"]),
        ("{ things { maybeFussy } }", ["things", 1, "maybeFussy"]),
        ("{ things { maybeInners { name } } }", ["things", 1, "maybeInners", 0, "name"]),
        ("{ things { surePart { id } } }", ["things", 1, "surePart"]),
        ("{ things { part { id } shouted } }", ["things", 1, "part"]),
    ],
)
async def test_an_error_has_its_path_in_a_list_answered_by_columns(text: str, path: list[object]) -> None:
    odd = _a_thing(fussy=-1, maybe_fussy=0, maybe_inners=[_a_thing(name=None)], number=2)
    root = Query(things=[_a_thing(), odd], maybe_things=None, parts=[])
    found = await _answer(Executor, text, root, {})
    assert [error.path for error in found.errors or ()] == [path]
