"""Frozen values, changed by making another.

`dataclasses.replace` reads every field and runs the constructor: 12 us for an account, a dozen times an action.
This copies the fields of one without slots as they are, in a twelfth of the time.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

Value = TypeVar("Value")

if TYPE_CHECKING:
    from dataclasses import replace as replace
else:

    def replace(value: Value, /, **changes: Any) -> Value:
        """The same value with some fields changed."""
        before = getattr(value, "__dict__", None)
        if before is None:
            return dataclasses.replace(value, **changes)
        assert changes.keys() <= before.keys(), f"{type(value).__name__} has no such field"
        after = object.__new__(type(value))
        after.__dict__.update(before, **changes)
        return after
