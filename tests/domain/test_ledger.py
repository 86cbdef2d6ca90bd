"""The chain: anyone can compute it from the description alone, and no field can change unseen."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import Journal
from domain.ledger import GENESIS, Kind, Row, canonical, chain, microseconds
from domain.lifecycles import ChallengeStatus
from tests.domain.builders import INITIAL, NOON, a_row, an_account

rows = st.builds(
    a_row,
    st.binary(min_size=32, max_size=32),
    account=st.integers(1, 2**62),
    seq=st.integers(1, 2**62),
    kind=st.sampled_from(Kind),
    amount=st.decimals(-(10**19), 10**19, places=8),
    balance_after=st.decimals(-(10**19), 10**19, places=8),
    market_time=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])),
    batch=st.integers(0, 2**62),
    facts=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=4),
)


def third_party_hash(head: bytes, row: Row) -> bytes:
    """Written from the module's docstring, in whole numbers of 1e-8 and of microseconds."""

    def eight_places(amount: Decimal) -> str:
        units = int(amount * 10**8)
        whole, rest = divmod(abs(units), 10**8)
        return f"{'-' if units < 0 else ''}{whole}.{rest:08d}"

    elapsed = row.market_time - datetime(1970, 1, 1, tzinfo=UTC)
    since_1970 = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    facts = json.dumps(dict(sorted(row.facts.items())), separators=(",", ":"), ensure_ascii=False)
    parts = [row.account, row.seq, row.kind.value, eight_places(row.amount), eight_places(row.balance_after)]
    text = "\n".join(str(part) for part in [*parts, since_1970, row.batch, facts])
    return hashlib.sha256(head + text.encode("utf-8", "surrogatepass")).digest()


@given(st.binary(min_size=32, max_size=32), rows)
def test_a_third_party_computes_the_same_hash(head: bytes, row: Row) -> None:
    link = chain(
        head, row.account, row.seq, row.kind, row.amount, row.balance_after, row.market_time, row.batch, row.facts
    )
    assert link == third_party_hash(head, row)


def test_the_first_row_follows_thirty_two_zero_bytes() -> None:
    assert GENESIS == b"\0" * 32
    assert a_row().hash == third_party_hash(bytes(32), a_row())


CHANGES: list[tuple[str, Any]] = [
    ("account", 1002),
    ("seq", 3),
    ("kind", Kind.PAYOUT),
    ("amount", INITIAL + Decimal("0.00000001")),
    ("balance_after", -INITIAL),
    ("market_time", NOON + timedelta(microseconds=1)),
    ("batch", 5),
    ("facts", {"reason": "depot", "transfer": 5, "final": False, "note": None}),
    ("facts", {"reason": "dépôt", "transfer": "5", "final": False, "note": None}),
    ("facts", {"reason": "dépôt", "transfer": 5, "final": False}),
]


@pytest.mark.parametrize(("name", "value"), CHANGES, ids=[f"{name}={value}" for name, value in CHANGES])
def test_no_field_changes_unseen(name: str, value: Any) -> None:
    assert a_row(**{name: value}).hash != a_row().hash


def test_the_row_before_is_part_of_the_hash() -> None:
    assert a_row(head=b"\1" + bytes(31)).hash != a_row().hash


def test_the_same_amount_and_instant_written_otherwise_hash_alike() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert a_row(amount=Decimal("1E+5"), market_time=elsewhere).hash == a_row().hash


def test_zero_has_no_sign() -> None:
    """A short closed at its cost without a fee realises a negative zero; the database gives it back as zero."""
    assert a_row(amount=Decimal("-0E-8")).hash == a_row(amount=Decimal(0)).hash


def test_the_order_of_facts_does_not_count() -> None:
    assert canonical({"b": 1, "a": "é"}) == canonical({"a": "é", "b": 1}) == '{"a":"é","b":1}'


json_facts = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([*Kind, *ChallengeStatus]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
)


@given(json_facts)
def test_facts_are_written_as_anybody_s_json_writes_them(facts: dict[str, Any]) -> None:
    assert canonical(facts) == json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_rows_written_together_are_those_written_one_by_one() -> None:
    one, other, account = Journal(), Journal(), an_account(cash=Decimal(5))
    entries = [(Kind.FILL, {"fee": "2"}, Decimal(-2)), (Kind.POSITION_OPENED, {}, Decimal(0))]
    apart = account
    for kind, facts, amount in entries:
        apart = one.append(apart, kind, NOON, 3, facts, amount)
    together = other.write(account, entries, NOON, 3, read_only=True)
    assert one.rows == other.rows
    assert together == replace(apart, read_only=True) and together.cash == 3


def test_microseconds_are_exact_far_from_1970() -> None:
    assert microseconds(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == 253_402_300_799_999_999
    assert microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


def test_an_account_s_rows_form_a_chain_and_carry_its_cash() -> None:
    journal, account = Journal(), an_account(cash=Decimal(0))
    account = journal.append(account, Kind.DEPOSIT, NOON, 0, {}, amount=INITIAL)
    account = journal.append(account, Kind.FILL, NOON, 1, {"fee": "55"}, amount=Decimal(-55), read_only=True)
    head = GENESIS
    for seq, row in enumerate(journal.rows, start=1):
        assert row.seq == seq
        assert row.hash == third_party_hash(head, row)
        head = row.hash
    assert (account.seq, account.head, account.cash, account.read_only) == (2, head, Decimal(99_945), True)
    assert journal.rows[-1].balance_after == account.cash
