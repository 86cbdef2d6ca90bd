"""Documents held against the table of readers, before anything is executed.

Who may read a field depends on the token's role and on the field alone, so a document is looked at once for each role:
whatever way an object is then answered (a resolver, columns, an event written for many), there is nothing to check.
Directives are not regarded, as validation does not regard them: a document is for the roles that may read all of it.
"""

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_object_type,
)

from schema.engine.errors import NotAllowed
from schema.engine.permissions import roles_of
from schema.engine.readers import readers_of_field, readers_of_type
from schema.engine.strawberry_internals import definition_of
from services.principals import Role


def unreadable_fields(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, role: Role
) -> list[GraphQLError]:
    """Return one error for each field of the operation `name` that the role may not read, at its first place.

    The document is valid. A root field that the role may not use is not looked into: it is refused by itself, and the
    others are answered. Without a name there is one operation.
    """
    walk = _Walk(schema, document, role)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and name in (None, node.name and node.name.value):
            walk.roots(node.selection_set, schema.get_root_type(node.operation))
    return list(walk.errors.values())


class _Walk:
    """Looks at each fragment once, however often it is spread."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, role: Role) -> None:
        self.errors: dict[tuple[str, str], GraphQLError] = {}
        self._schema = schema
        self._role = role
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._seen: set[str] = set()

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
            elif isinstance(part, FragmentSpreadNode) and part.name.value not in self._seen:
                self._seen.add(part.name.value)
                fragment = self._fragments[part.name.value]
                inner = self._schema.get_type(fragment.type_condition.name.value)
                self._selection(fragment.selection_set, inner, are_roots=are_roots)

    def _field(self, node: FieldNode, of: GraphQLNamedType | None, *, is_root: bool) -> None:
        name = node.name.value
        if name.startswith("__"):  # the schema itself is everybody's to read, where it is anybody's
            return
        assert is_object_type(of), "the schema has neither interfaces nor unions"
        field: GraphQLField = of.fields[name]
        leads_to = get_named_type(field.type)
        if is_root:
            if self._role in (roles_of(definition_of(field)) or ()):
                self._selection(node.selection_set, leads_to)
        elif self._role in readers_of_field(of.name, name) and self._may_read(leads_to):
            self._selection(node.selection_set, leads_to)
        elif (of.name, name) not in self.errors:
            message = f"A token of role {self._role} may not read {of.name}.{name}."
            self.errors[of.name, name] = GraphQLError(message, [node], extensions={"code": NotAllowed.code})

    def _may_read(self, kind: GraphQLNamedType) -> bool:
        return not is_object_type(kind) or self._role in readers_of_type(kind.name)
