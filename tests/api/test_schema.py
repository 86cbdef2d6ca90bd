"""The schema document: everything has a description, and the committed file is the served schema."""

from pathlib import Path

import pytest

from domain.errors import REGISTRY
from schema.enums import ErrorCode
from tests.api.generated import described, leaves, root_field, roots
from tools.export_schema import schema_text

COMMITTED = Path(__file__).resolve().parents[2] / "schema.graphql"


def test_everything_a_client_can_see_is_described() -> None:
    assert not [path for path, text in described() if not text or not text.strip()]


def test_no_description_repeats_its_name() -> None:
    assert not [path for path, text in described() if (text or "").rstrip(".").lower() == path.split(".")[-1].lower()]


def test_what_moves_money_or_opens_something_takes_a_key_so_that_it_can_be_sent_again() -> None:
    keyed = {
        name
        for name in roots()["mutation"]
        for one in root_field("mutation", name).args.values()
        for path, _ in leaves(one.type, ())
        if path == ("idempotencyKey",)
    }
    assert keyed == {
        "buyChallenge", "createAccount", "depositToWallet", "withdrawFromWallet", "refundPurchase",
        "requestPayout", "cancelPayout", "approvePayout", "rejectPayout", "adjustAccount", "confirmPayment",
        "reinstateChallenge", "reinstateChallenges",
    }  # fmt: skip


BESIDE_DATA = {"FORBIDDEN", "BUSY", "TIME_LIMIT", "CALLER_GONE"}


@pytest.mark.parametrize("code", sorted(set(REGISTRY) - BESIDE_DATA - {"INVALID_PROGRAM"}))
def test_every_refusal_has_its_code(code: str) -> None:
    assert ErrorCode[code].value == code


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    assert COMMITTED.read_text() == schema_text()
