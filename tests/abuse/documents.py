"""Documents as large as the limits allow: deep, wide, with many aliases, with fragments that are spread often.

They are made from the schema by a seed; what the examination refuses is made again, smaller. `made` is also used by the
suite; `attack` sends them, many at once.
"""

import random
from collections.abc import Iterator, Mapping

import httpx
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument, specified_rules

from resolvers.main import schema
from schema.engine.document_checks import DocumentRequest, check_now
from schema.engine.document_limits import DocumentLimits
from schema.engine.strawberry_internals import graphql_schema
from services.principals import Role
from tests.abuse.desk import Desk, Tally, together

GRAPHQL = graphql_schema(schema)
NAME, BEARER = "documents of the largest cost", "MANAGER"
AT_ONCE = 16
HEAVY = 40_000  # fields, from which on a document is worth sending
PAGES = (10, 30, 100, 100, 300, 1000)
TRIES = 200
ALLOWED = DocumentLimits()


class Maker:
    """Makes documents that ask for what is below these objects: `ids` by the root field that takes an id."""

    def __init__(self, ids: Mapping[str, str], chance: random.Random) -> None:
        self._ids = ids
        self._chance = chance
        self._aliases = 0
        self._fragments: list[str] = []

    def document(self) -> str:
        """Return a document, which may be beyond the limits."""
        chance = self._chance
        self._fragments, self._aliases = [], chance.choice((0, 0, 10, 60))
        depth, wide = chance.choice((2, 3, 4, 6)), chance.random()
        query = GRAPHQL.query_type
        assert query is not None
        fields = [name for name, field in query.fields.items() if self._is_usable(name, field)]
        roots = chance.sample(fields, k=min(len(fields), chance.choice((1, 1, 2, 5, 12))))
        body = " ".join(self._field(name, query.fields[name], depth, wide, root=True) for name in roots)
        return " ".join((f"{{ {body} }}", *self._fragments))

    def _is_usable(self, name: str, field: GraphQLField) -> bool:
        return name in self._ids or not any(map(is_required_argument, field.args.values()))

    def _field(self, name: str, field: GraphQLField, depth: int, wide: float, *, root: bool = False) -> str:
        chance = self._chance
        arguments = []
        if root and name in self._ids:
            [argument] = [one for one, kind in field.args.items() if is_required_argument(kind)]
            arguments.append(f'{argument}: "{self._ids[name]}"')
        if "first" in field.args:
            arguments.append(f"first: {chance.choice(PAGES)}")
        if "after" in field.args and chance.random() < 0.1:
            arguments.append('after: "bad"')
        passed = f"({', '.join(arguments)})" if arguments else ""
        kind = get_named_type(field.type)
        if is_leaf_type(kind):
            return f"{name}{passed}"
        assert isinstance(kind, GraphQLObjectType)
        selection = self._selection(kind, depth, wide)
        if not self._aliases or chance.random() < 0.5:
            return f"{name}{passed} {{ {selection} }}"
        times = min(self._aliases, chance.choice((2, 5, 20)))
        self._aliases -= times
        fragment = f"F{len(self._fragments)}"
        self._fragments.append(f"fragment {fragment} on {kind.name} {{ {selection} }}")
        return " ".join(f"{name}{number}: {name}{passed} {{ ...{fragment} }}" for number in range(times))

    def _selection(self, kind: GraphQLObjectType, depth: int, wide: float) -> str:
        parts = ["__typename"]
        nested = []
        for name, field in kind.fields.items():
            if any(map(is_required_argument, field.args.values())):
                continue
            if is_leaf_type(get_named_type(field.type)):
                if self._chance.random() < max(wide, 0.2):
                    parts.append(name)
            elif name not in ("edges", "pageInfo"):
                nested.append((name, field))
        if "nodes" in kind.fields:
            nested = [("nodes", kind.fields["nodes"])]
        if depth > 0 and nested:
            many = 1 + int(wide * min(4, len(nested)))
            for name, field in self._chance.sample(nested, k=min(len(nested), many)):
                parts.append(self._field(name, field, depth - (name != "nodes"), wide))
        return " ".join(parts)


def cost_of(text: str) -> int | None:
    """Return what the document costs; None for one that the examination refuses."""
    found = check_now(DocumentRequest(GRAPHQL, tuple(specified_rules), text, ALLOWED, None, Role.MANAGER, ()))
    return None if found.errors else found.cost


def made(ids: Mapping[str, str], seed: int) -> Iterator[str]:
    """Yield documents within the limits whose cost is at least HEAVY, without end."""
    chance = random.Random(seed)
    maker = Maker(ids, chance)
    while True:
        for _ in range(TRIES):
            text = maker.document()
            if len(text) <= ALLOWED.characters and (cost_of(text) or 0) >= HEAVY:
                break
        yield text


async def attack(desk: Desk, until: float) -> Tally:
    """Send them, AT_ONCE at the same time."""
    chance = random.Random(desk.seed)

    async def ask() -> httpx.Response:
        return await desk.ask(BEARER, chance.choice(desk.documents))

    return await together(desk, ask, AT_ONCE, until)
