"""Documents that were found valid are not validated again: they are few, and come often."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from strawberry.extensions import SchemaExtension

KEPT, KEPT_CHARACTERS_MAX = 256, 8_000  # documents, and of each

_valid: OrderedDict[tuple[Any, ...], None] = OrderedDict()


class Validated(SchemaExtension):
    """Remembers which documents keep which rules. One that breaks a rule is looked at each time."""

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        key = (id(execution.schema), execution.query, execution.validation_rules)
        if execution.pre_execution_errors is None and key in _valid:
            _valid.move_to_end(key)
            execution.pre_execution_errors = []
        yield
        if not execution.pre_execution_errors and len(execution.query or "") <= KEPT_CHARACTERS_MAX:
            _valid[key] = None
            if len(_valid) > KEPT:
                _valid.popitem(last=False)
