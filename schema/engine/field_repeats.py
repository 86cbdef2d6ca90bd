"""The repeats of a document: how often one name occurs in one selection, multiplied over the levels.

Validation compares each field with every other field of the same name in the answer, and the selections below both: the
work grows with the square of the repeats, and repeats of several levels multiply. A document of 20 KB can take seconds.
This walk runs before validation. It visits each fragment once and covers everything that is validated, executed or not.
"""

from collections import Counter
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from schema.engine.document_limits import definitions_of, fragments_of


@dataclass(slots=True)
class FieldCounts:
    """By name in a selection the number of its fields, and the repeats in the selections below all of them."""

    times: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)

    @property
    def most(self) -> int:
        """Return the most repeats of a name: fields of one name are merged, together with the selections below them."""
        return max((max(many, self.below[name]) for name, many in self.times.items()), default=0)

    def add(self, other: "FieldCounts") -> None:
        self.times.update(other.times)
        self.below.update(other.below)


def most_repeats(document: DocumentNode) -> int:
    """Return the most repeats of one name after merging; 0 for a document without fields."""
    walk = _Walk(document)
    definitions = definitions_of(document, ExecutableDefinitionNode)
    return max((walk.names(node.selection_set).most for node in definitions), default=0)


class _Walk:
    """A walk through a document that visits each fragment once."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = fragments_of(document)
        self._by_fragment: dict[str, FieldCounts] = {}

    def names(self, node: SelectionSetNode | None) -> FieldCounts:
        """Return the counts of a selection, with those of its fragments."""
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
        if name not in self._by_fragment:
            self._by_fragment[name] = FieldCounts()  # a fragment that spreads itself ends here; validation refuses it
            if node := self._fragments.get(name):
                self._by_fragment[name] = self.names(node.selection_set)
        return self._by_fragment[name]
