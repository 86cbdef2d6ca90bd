"""What the journal says against what the desk has: nothing acknowledged is lost, nothing is done twice.

`compare` reads the tables as their owner. With `until`, a moment that the desk was restored to, what was acknowledged
before it must be there and what was sent after it must not.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.cluster.firm import BRAND
from tests.cluster.journal import Journal, Outcome, Request

Rows = list[dict[str, Any]]


class Presence(Enum):
    """Whether what a request asks for is in the desk."""

    MUST = "must"
    MAY = "may"
    MUST_NOT = "must not"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be."""

    check: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.subject}: {self.message}"


KEYED: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {
    "buyChallenge": ("purchase", lambda payload: payload["purchase"]["id"]),
    "confirmPayment": ("purchase", lambda payload: payload["purchase"]["id"]),
    "createAccount": ("account", lambda payload: payload["account"]["id"]),
    "depositToWallet": ("wallet", lambda payload: payload["wallet"]["id"]),
    "withdrawFromWallet": ("wallet", lambda payload: payload["wallet"]["id"]),
    "requestPayout": ("payout", lambda payload: payload["payout"]["id"]),
    "approvePayout": ("payout", lambda payload: payload["payout"]["id"]),
    "rejectPayout": ("payout", lambda payload: payload["payout"]["id"]),
    "cancelPayout": ("payout", lambda payload: payload["payout"]["id"]),
    "adjustAccount": ("account", lambda payload: payload["account"]["id"]),
    "refundPurchase": ("purchase", lambda payload: payload["purchase"]["id"]),
    "reinstateChallenges": ("bulk", lambda payload: payload["bulkReinstatement"]["id"]),
}
"""Mutations with an idempotency key: the name of the receipt's answer, and the same in the payload."""

BY_HAND = (
    "adjustAccount",
    "refundPurchase",
    "withdrawFromWallet",
    "voidOrder",
    "pauseAccount",
    "resumeAccount",
    "lockAccount",
    "unlockAccount",
    "liquidateAccount",
    "cancelChallenge",
    "recomputeAccount",
    "voidQuotes",
)
"""Mutations whose reason, the request's id, stands in the audit once they are done."""

MADE: Mapping[str, tuple[tuple[str, ...], str]] = {
    "purchases": (("buyChallenge",), "select count(*) from purchases where brand = %(brand)s"),
    "payouts": (("requestPayout",), "select count(*) from payouts where brand = %(brand)s"),
    "bulk reinstatements": (("reinstateChallenges",), "select count(*) from bulk_reinstatements"),
    "adjustments": (
        ("adjustAccount",),
        "select count(distinct transfer) from transfers where brand = %(brand)s and cause like 'account %% adjustment'",
    ),
    "top-ups": (
        ("depositToWallet",),
        "select count(distinct transfer) from transfers where brand = %(brand)s and cause like 'deposit %%'",
    ),
    "withdrawals": (
        ("withdrawFromWallet",),
        "select count(distinct transfer) from transfers where brand = %(brand)s and cause like 'withdrawal %%'",
    ),
}
"""What each receipt of some mutations has made exactly one of."""


class Books:
    """The desk's tables beside the journal."""

    def __init__(self, conn: psycopg.Connection[dict[str, Any]], journal: Journal, until: float | None) -> None:
        self.conn = conn
        self.journal = journal
        self.until = until

    def rows(self, statement: str) -> Rows:
        return self.conn.execute(statement.encode(), {"brand": BRAND}).fetchall()

    def presence(self, request: Request) -> Presence:
        """Whether the request must have been done in this desk."""
        if self.until is not None and request.sent_at > self.until:
            return Presence.MUST_NOT
        is_before = self.until is None or (request.answered_at or self.until) < self.until
        if request.outcome is Outcome.DONE:
            return Presence.MUST if is_before else Presence.MAY
        if request.outcome is Outcome.REFUSED and not request.may_be_done_before:
            return Presence.MUST_NOT
        return Presence.MAY


def compare(url: str, journal: Journal, *, until: float | None = None) -> list[Finding]:
    """Every difference between the journal and the desk whose owner's address is `url`."""
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            books = Books(conn, journal, until)
            return [finding for check in CHECKS for finding in check(books)]


def newest_event(url: str) -> int:
    """The position of the firm's newest event."""
    with psycopg.connect(url) as conn:
        row = conn.execute("select position from brand_positions where brand = %s", (BRAND,)).fetchone()
    return int(row[0]) if row else 0


def receipts_are_the_keyed_requests(books: Books) -> Iterator[Finding]:
    """Each acknowledged request has its receipt with the answer that was given, and no other has one."""
    found = {(row["operation"], row["key"]): row for row in books.rows("select operation, key, answer from receipts")}
    for request in books.journal.requests.values():
        if request.operation not in KEYED:
            continue
        name, answered = KEYED[request.operation]
        row = found.pop((request.operation, request.id), None)
        yield from _present("receipts", books, request, row is not None)
        if row is not None and request.outcome is Outcome.DONE:
            kept, given = str(row["answer"].get(name)), str(answered(request.payload))
            if kept != given:
                yield Finding("receipts", request.id, f"the client was told {name} {given}, and the desk has {kept}")
    for operation, key in found:
        yield Finding("receipts", key, f"a {operation} that nobody sent")


def each_receipt_made_one(books: Books) -> Iterator[Finding]:
    """There are as many objects and transfers as receipts that make them."""
    receipts = Counter(row["operation"] for row in books.rows("select operation from receipts"))
    for what, (operations, statement) in MADE.items():
        many, made = sum(receipts[name] for name in operations), int(books.rows(statement)[0]["count"])
        if many != made:
            yield Finding("done once", what, f"{many} receipts of {', '.join(operations)}, and {made} {what}")


def deeds_by_hand_are_in_the_audit_once(books: Books) -> Iterator[Finding]:
    """What staff did for a reason stands in the audit under that reason, once."""
    statement = "select operation, reason, count(*) as many from audit where reason <> '' group by operation, reason"
    many = {(row["operation"], row["reason"]): row["many"] for row in books.rows(statement)}
    for request in books.journal.requests.values():
        if "reason" not in request.content or request.content["reason"] != request.id:
            continue
        times = many.get((request.operation, request.id), 0)
        if times > 1:
            yield Finding("audit", request.id, f"{request.operation} is in the audit {times} times")
        if request.operation in BY_HAND:
            yield from _present("audit", books, request, times > 0)


def batches_of_actions_are_whole(books: Books) -> Iterator[Finding]:
    """Each action that was answered is stored once with that answer, and of each batch all or nothing."""
    statement = """select a.account_id, a.seq, a.run, a.action_id, a.status, f.price, f.quantity
      from decision_actions a left join fills f on f.account_id = a.account_id and f.order_seq = a.order_seq"""
    stored: dict[str, dict[str, dict[str, Any]]] = {}
    for row in books.rows(statement):
        if stored.setdefault(row["run"], {}).setdefault(row["action_id"], row) is not row:
            yield Finding("actions", f"{row['run']}/{row['action_id']}", "is stored twice, or has two fills")
    for request in books.journal.requests.values():
        if request.operation == "submitDecisionActions":
            kept = stored.pop(request.id, {})
            yield from _batch(books, request, kept)
    for run in stored:
        yield Finding("actions", run, "a batch that nobody sent")


def _batch(books: Books, request: Request, kept: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    if request.outcome is not Outcome.DONE:
        yield from _present("actions", books, request, bool(kept))
        return
    results = [result for result in request.payload["results"] if result["id"] is not None]
    if results:
        yield from _present("actions", books, request, bool(kept))
    if kept and len(kept) != len(results):
        yield Finding("actions", request.id, f"{len(results)} results were given, and {len(kept)} are stored")
    for result in results if kept else ():
        row = kept.get(result["actionId"])
        told = f"{result['id']} {result['status']}"
        if row is None or f"{row['account_id']}-{row['seq']}" != result["id"]:
            yield Finding("actions", request.id, f"the bot was told {told}, and the desk has {row}")
        elif (fill := result["fill"]) and row["price"] is not None:
            if (row["price"], row["quantity"]) != (
                type(row["price"])(fill["price"]),
                type(row["price"])(fill["quantity"]),
            ):
                yield Finding("actions", request.id, f"the bot was told a fill {fill}, and the desk has {row}")
        elif fill:
            yield Finding("actions", request.id, f"the bot was told a fill {fill}, and there is none")


def cancelled_orders_stay_cancelled(books: Books) -> Iterator[Finding]:
    statement = "select account_id::text || '-' || seq as id, status from orders"
    status = {row["id"]: row["status"] for row in books.rows(statement)}
    for request in books.journal.of("cancelOrder"):
        if books.presence(request) is Presence.MUST and status.get(request.content["orderId"]) != "CANCELLED":
            found = status.get(request.content["orderId"])
            yield Finding("orders", request.content["orderId"], f"{request.id} cancelled it, and it is {found}")


def accepted_quotes_are_kept(books: Books) -> Iterator[Finding]:
    """Each acknowledged round of quotes stands in the batches that were named."""
    statement = "select batch, count(*) as many, max(source_time) as at from quotes group by batch"
    kept = {row["batch"]: row["many"] for row in books.rows(statement)}
    for request in books.journal.of("ingestQuotes"):
        found = sum(kept.get(int(batch), 0) for batch in request.payload["batches"])
        presence = books.presence(request)
        if presence is Presence.MUST and found < request.payload["accepted"]:
            told = f"{request.payload['accepted']} accepted in {request.payload['batches']}"
            yield Finding("quotes", request.id, f"the feed was told {told}, and {found} are kept")


def subscribers_had_every_event_once_and_in_order(books: Books) -> Iterator[Finding]:
    """What each subscriber got is what the desk has, from the first event to the last."""
    statement = """select brand_position as position, challenge_id, number, name from events
      where brand = %(brand)s order by brand_position"""
    events = [(r["position"], str(r["challenge_id"]), r["number"], r["name"]) for r in books.rows(statement)]
    for name, came in books.journal.events.items():
        got = [(e["position"], e["challengeId"], e["number"], e["name"]) for e in came]
        yield from _stream(name, events, got, is_whole=books.until is None)


def _stream(name: str, events: Sequence[Any], got: Sequence[Any], *, is_whole: bool) -> Iterator[Finding]:
    for place, (event, seen) in enumerate(zip(events, got, strict=False)):
        if event != seen:
            yield Finding("events", name, f"its event {place + 1} is {seen}, and the desk has {event} there")
            return
    if len(got) > len(events) and is_whole:
        yield Finding("events", name, f"got {len(got)} events, and the desk has {len(events)}")
    elif len(got) < len(events):
        yield Finding("events", name, f"got {len(got)} events of {len(events)}")


def nothing_waits(books: Books) -> Iterator[Finding]:
    """Every job is done, every event has its place, every account is out of quarantine."""
    statement = """select (select count(*) from outbox) as events, (select count(*) from quarantine) as accounts,
      (select count(*) from jobs where status = 'DEAD') as dead"""
    for what, many in books.rows(statement)[0].items() if books.until is None else ():
        if many:
            yield Finding("nothing waits", what, f"{many} are left")


CHECKS: Sequence[Callable[[Books], Iterator[Finding]]] = (
    receipts_are_the_keyed_requests,
    each_receipt_made_one,
    deeds_by_hand_are_in_the_audit_once,
    batches_of_actions_are_whole,
    cancelled_orders_stay_cancelled,
    accepted_quotes_are_kept,
    subscribers_had_every_event_once_and_in_order,
    nothing_waits,
)


def _present(check: str, books: Books, request: Request, is_there: bool) -> Iterator[Finding]:
    presence = books.presence(request)
    if presence is Presence.MUST and not is_there:
        yield Finding(check, request.id, f"{request.operation} was acknowledged, and is lost")
    elif presence is Presence.MUST_NOT and is_there:
        why = "was refused" if request.outcome is Outcome.REFUSED else "was sent after the moment"
        yield Finding(check, request.id, f"{request.operation} {why}, and is done: {request.codes}")
