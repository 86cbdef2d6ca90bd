"""Names of graphql-core that it does not document as public, imported here alone.

`tests/api/test_internals.py` fails with the name when a new version of graphql-core changes one, or changes a method of
its executor that `schema/engine/executor.py` overrides.
"""

from graphql.execution.collect_fields import CollectedFields, FieldDetailsList
from graphql.pyutils import gather_with_cancel

__all__ = ["CollectedFields", "FieldDetailsList", "gather_with_cancel"]
