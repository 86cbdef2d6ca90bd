"""How often one name is asked for in one selection.

Whoever validates a document compares each field with every other that is answered under the same name, and all that is
below them: that is quadratic, and a document of 20 KB can stop the server for a second. This walk is not, and comes
first. It looks at whatever is validated, spread and executed or not.
"""

from collections import Counter

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)


def repeats(document: DocumentNode) -> int:
    """The most that one name is asked for in one selection; 0 in a document that asks for nothing."""
    walk = _Walk(document)
    for node in document.definitions:
        if isinstance(node, ExecutableDefinitionNode):
            walk.names(node.selection_set)
    return walk.most


class _Walk:
    """Looks at each fragment once, however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        self.most = 0
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Counter[str]] = {}

    def names(self, node: SelectionSetNode | None) -> Counter[str]:
        """Each name of a selection, through its fragments, and how often it is asked for."""
        found: Counter[str] = Counter()
        self._collect(node, found, set())
        self.most = max(self.most, max(found.values(), default=0))
        return found

    def _collect(self, node: SelectionSetNode | None, found: Counter[str], spread: set[str]) -> None:
        for part in node.selections if node else ():
            if isinstance(part, FieldNode):
                found[(part.alias or part.name).value] += 1
                if part.selection_set:
                    self.names(part.selection_set)
            elif isinstance(part, InlineFragmentNode):
                self._collect(part.selection_set, found, spread)
            elif isinstance(part, FragmentSpreadNode) and part.name.value not in spread:
                spread.add(part.name.value)
                found.update(self._of_fragment(part.name.value))

    def _of_fragment(self, name: str) -> Counter[str]:
        if name not in self._known:
            self._known[name] = Counter()  # for one that spreads itself, which validation refuses
            if node := self._fragments.get(name):
                self._known[name] = self.names(node.selection_set)
        return self._known[name]
