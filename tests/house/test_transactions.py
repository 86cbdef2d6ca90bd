"""Only the unit begins and ends transactions."""

from tests.house.sources import PACKAGES, sources

MAY_BEGIN = {
    "services/unit_of_work/openings.py",
    "services/unit_of_work/reads.py",
    "config/asyncpg_internals.py",
}  # the second asks only is_in_transaction
BEGINNINGS = ("in_transaction", ".transaction", "atomic")


def test_only_the_unit_begins_a_transaction() -> None:
    broken = [
        f"{source.path} calls {call}"
        for source in sources(*PACKAGES)
        if str(source.path) not in MAY_BEGIN
        for call in source.called()
        if call.endswith(BEGINNINGS)
    ]
    assert not broken
