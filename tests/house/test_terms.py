"""The API shows the terms of a sale whole: each field of the frozen terms has its field in `schema/terms.py`."""

from dataclasses import fields
from typing import Any

import pytest

from domain import terms as domain
from schema import terms as shown
from schema.engine.strawberry_internals import class_definition

PAIRS: list[tuple[Any, Any, set[str]]] = [
    (domain.Terms, shown.Terms, {"program_id"}),  # `program` leads there
    (domain.PhaseTerms, shown.PhaseTerms, set()),
    (domain.Group, shown.GroupTerms, set()),
    (domain.Policy, shown.ExecutionPolicy, set()),
    (domain.Limit, shown.LimitTerms, set()),
    (domain.PayoutTerms, shown.PayoutTerms, set()),
    (domain.PositionsLimit, shown.PositionsTerms, set()),
]


@pytest.mark.parametrize(("frozen", "type_", "elsewhere"), PAIRS, ids=[pair[0].__name__ for pair in PAIRS])
def test_every_field_of_the_terms_is_shown(frozen: Any, type_: Any, elsewhere: set[str]) -> None:
    names = {one.name for one in class_definition(type_).fields}
    missing = {one.name for one in fields(frozen)} - names - elsewhere
    assert not missing, f"write in schema/terms.py, class {type_.__name__}: {', '.join(sorted(missing))}"
