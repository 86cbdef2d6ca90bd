"""How often one name is asked for in one selection, over all levels.

Validation compares each field with every other that is answered under the same name, and all that is below the two:
the comparisons grow with the square of the repeats, and repeats of several levels multiply. A document of 20 KB can
take seconds. This walk looks at each fragment once and comes first; it looks at whatever is validated, spread and
executed or not.
"""

from collections import Counter
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)


@dataclass(slots=True)
class FieldCounts:
    """By each name of a selection how often it is asked for, and the repeats below all of its fields together."""

    times: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)

    @property
    def most(self) -> int:
        """The repeats of the selection: fields of one name are merged, and with them what is below each."""
        return max((max(many, self.below[name]) for name, many in self.times.items()), default=0)

    def add(self, other: "FieldCounts") -> None:
        self.times.update(other.times)
        self.below.update(other.below)


def most_repeats(document: DocumentNode) -> int:
    """Return the most that one name is repeated after merging; 0 in a document that asks for nothing."""
    walk = _Walk(document)
    definitions = (node for node in document.definitions if isinstance(node, ExecutableDefinitionNode))
    return max((walk.names(node.selection_set).most for node in definitions), default=0)


class _Walk:
    """Looks at each fragment once, however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, FieldCounts] = {}

    def names(self, node: SelectionSetNode | None) -> FieldCounts:
        """Return the names of a selection, with those of its fragments."""
        names = FieldCounts()
        self._collect(node, names, set())
        return names

    def _collect(self, node: SelectionSetNode | None, names: FieldCounts, spread: set[str]) -> None:
        for part in node.selections if node else ():
            if isinstance(part, FieldNode):
                name = (part.alias or part.name).value
                names.times[name] += 1
                if part.selection_set:
                    names.below[name] += self.names(part.selection_set).most
            elif isinstance(part, InlineFragmentNode):
                self._collect(part.selection_set, names, spread)
            elif isinstance(part, FragmentSpreadNode) and part.name.value not in spread:
                spread.add(part.name.value)
                names.add(self._of_fragment(part.name.value))

    def _of_fragment(self, name: str) -> FieldCounts:
        if name not in self._known:
            self._known[name] = FieldCounts()  # for one that spreads itself, which validation refuses
            if node := self._fragments.get(name):
                self._known[name] = self.names(node.selection_set)
        return self._known[name]
