"""The check of a document against the table of readers, before it is executed.

The right to read a field depends on the token's role and on the field alone, so a document is checked once per role,
and no execution path (resolvers, fast lists, fan-out) has to check again. `@skip` and `@include` are ignored, as in
validation: a role has to be allowed to read everything in the document.
"""

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    is_object_type,
)

from schema.engine.document_limits import fragments_of, operations_of
from schema.engine.errors import NotAllowed
from schema.engine.permissions import roles_of
from schema.engine.readers import readers_of_field, readers_of_type
from schema.engine.strawberry_internals import definition_of
from services.principals import Role


def unreadable_fields(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, role: Role
) -> list[GraphQLError]:
    """Return an error for each field of the operation that the role may not read, at its first place.

    The document is valid, and has one operation if `name` is None. The selection of a root field that the role may not
    use is not checked: that field is refused when it is executed, and the other fields are answered.
    """
    walk = _Walk(schema, document, role)
    for node in operations_of(document, name):
        walk.roots(node.selection_set, schema.get_root_type(node.operation))
    return list(walk.errors.values())


class _Walk:
    """A walk through a document that visits each fragment once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, role: Role) -> None:
        self.errors: dict[tuple[str, str], GraphQLError] = {}
        self._schema = schema
        self._role = role
        self._fragments = fragments_of(document)
        self._visited: set[str] = set()

    def roots(self, node: SelectionSetNode, of: GraphQLObjectType | None) -> None:
        self._selection(node, of, are_roots=True)

    def _selection(
        self, node: SelectionSetNode | None, of: GraphQLNamedType | None, *, are_roots: bool = False
    ) -> None:
        for part in node.selections if node else ():
            if isinstance(part, FieldNode):
                self._field(part, of, is_root=are_roots)
            elif isinstance(part, InlineFragmentNode):
                condition = part.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else of
                self._selection(part.selection_set, inner, are_roots=are_roots)
            elif isinstance(part, FragmentSpreadNode) and part.name.value not in self._visited:
                self._visited.add(part.name.value)
                fragment = self._fragments[part.name.value]
                inner = self._schema.get_type(fragment.type_condition.name.value)
                self._selection(fragment.selection_set, inner, are_roots=are_roots)

    def _field(self, node: FieldNode, of: GraphQLNamedType | None, *, is_root: bool) -> None:
        name = node.name.value
        if name.startswith("__"):  # every role may read the schema, unless introspection is off
            return
        assert is_object_type(of), "the schema has neither interfaces nor unions"
        field: GraphQLField = of.fields[name]
        kind = get_named_type(field.type)
        if is_root:
            if self._role in (roles_of(definition_of(field)) or ()):
                self._selection(node.selection_set, kind)
        elif self._role in readers_of_field(of.name, name) and self._may_read(kind):
            self._selection(node.selection_set, kind)
        elif (of.name, name) not in self.errors:
            message = f"A token of role {self._role} may not read {of.name}.{name}."
            self.errors[of.name, name] = GraphQLError(message, [node], extensions={"code": NotAllowed.code})

    def _may_read(self, kind: GraphQLNamedType) -> bool:
        return not is_object_type(kind) or self._role in readers_of_type(kind.name)
