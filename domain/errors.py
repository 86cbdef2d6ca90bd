"""Refusals: requests that the desk rejects, each with a code, a message and whether a retry may succeed (`transient`).

    Refused
    ├── InvalidInput          the value of a field is not valid; names the field
    ├── InvalidProgram        every fault of a program, each with its path
    ├── Forbidden             the role of the token does not allow this
    ├── NotFound              the object does not exist, or the token may not read it
    ├── InvalidTransition     the object's state does not allow this change
    ├── VersionConflict       the object changed since it was read
    ├── IdempotencyConflict   the key was used for another request; names the field
    ├── ProgramNotAvailable, InsufficientFunds, WalletMismatch, ...
    └── NoMarket, Locked, Busy   transient: try again

A refusal is a result of the API and carries facts. A fault of the code is an assertion and raises.
The first line of a class's docstring is the message for users; the facts follow it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from domain.money import NotStorable, plain

REASON_MAX = 500  # characters of the reason why an account cannot be read or computed
REGISTRY: dict[str, type["Refused"]] = {}


class Refused(Exception):
    """The desk rejects the request."""

    code: ClassVar[str] = "REFUSED"
    transient: ClassVar[bool] = False

    def __init__(self, field: str | None = None, **facts: object) -> None:
        self.field = field
        self.facts = facts
        facts_text = ", ".join(f"{_called(name, field)} {_text(value)}".strip() for name, value in facts.items())
        message = (self.__doc__ or "").strip().splitlines()[0].rstrip(".")
        super().__init__(f"{message}: {facts_text}." if facts_text else f"{message}.")

    def __init_subclass__(cls) -> None:
        REGISTRY[cls.code] = cls


def _text(value: object) -> str:
    """Return a fact as the message shows it: amounts as the API writes them, 500 and not 500.00000000."""
    return plain(value) if isinstance(value, Decimal) else str(value)


def _called(fact: str, field: str | None) -> str:
    """Return the name of a fact in a message; a reason is about the field itself."""
    return (field or "") if fact == "reason" else fact.replace("_", " ")


class InvalidInput(Refused):
    """The value of a field is not valid."""

    code = "INVALID_INPUT"


class NotFound(Refused):
    """The object does not exist, or the token may not read it."""

    code = "NOT_FOUND"


class AlreadyExists(Refused):
    """An object with this name already exists."""

    code = "ALREADY_EXISTS"


class InUse(Refused):
    """Another object depends on this one. Close, cancel or change the object named in the message first."""

    code = "IN_USE"
    transient = True


class InvalidTransition(Refused):
    """The object's state does not allow this change."""

    code = "INVALID_TRANSITION"


class VersionConflict(Refused):
    """The object has changed since it was read; read it again and repeat the change."""

    code = "VERSION_CONFLICT"
    transient = True


class IdempotencyConflict(Refused):
    """This idempotency key was already used for a different request."""

    code = "IDEMPOTENCY_CONFLICT"


class ProgramNotAvailable(Refused):
    """The program is not on sale; choose an active program."""

    code = "PROGRAM_NOT_AVAILABLE"


class InsufficientFunds(Refused):
    """The wallet has too little free cash; deposit more or reduce the amount."""

    code = "INSUFFICIENT_FUNDS"
    transient = True


class WalletMismatch(Refused):
    """The wallet's currency differs from the currency of the price; use a wallet in that currency."""

    code = "WALLET_MISMATCH"


class PaymentMismatch(Refused):
    """The payment's amount or currency differs from the price of the purchase."""

    code = "PAYMENT_MISMATCH"


class PaymentExpired(Refused):
    """The payment came after the purchase expired; make a new purchase."""

    code = "PAYMENT_EXPIRED"


class AlreadyPaid(Refused):
    """The purchase is already paid."""

    code = "ALREADY_PAID"


class TooManyUnpaid(Refused):
    """The client has too many unpaid purchases; pay one, or wait until one expires."""

    code = "TOO_MANY_UNPAID"
    transient = True


class TooManyChallenges(Refused):
    """The client has too many open challenges; wait until one ends, or until an unpaid purchase expires."""

    code = "TOO_MANY_CHALLENGES"
    transient = True


class PurchaseLinked(Refused):
    """The purchase has a challenge and is neither FAILED nor REFUNDED, so it cannot be deleted."""

    code = "PURCHASE_LINKED"


class FeeNotTaken(Refused):
    """The purchase was never paid, so there is nothing to refund."""

    code = "FEE_NOT_TAKEN"


class FeeReturned(Refused):
    """The price was returned to the client with a payout, so there is nothing to refund."""

    code = "FEE_RETURNED"


class PayoutOpen(Refused):
    """A payout is open; decide on it first, or wait until it is paid."""

    code = "PAYOUT_OPEN"
    transient = True


class AccountInChallenge(Refused):
    """The account belongs to a challenge and can be changed only through it."""

    code = "ACCOUNT_IN_CHALLENGE"


class AccountTerminal(Refused):
    """The account has ended and cannot be changed."""

    code = "ACCOUNT_TERMINAL"


class AccountEnding(Refused):
    """The account is already being closed. It ends when its positions are closed at fresh quotes."""

    code = "ACCOUNT_ENDING"


class AccountQuarantined(Refused):
    """The stored account cannot be computed. Correct the cause in the message, then call releaseQuarantine."""

    code = "ACCOUNT_QUARANTINED"

    @classmethod
    def because_of(cls, error: Exception, *accounts: int) -> "AccountQuarantined":
        """Return the refusal for accounts, one of which could not be computed or stored because of the error.

        The text of NotStorable is included, because it names only the account's own figures; else the class name is.
        """
        kind = type(error).__name__
        reason = f"{kind}: {error}" if isinstance(error, NotStorable) else kind
        return cls(None, account=", ".join(map(str, accounts)), reason=reason)


class AccountUnreadable(Refused):
    """This version of Propdesk cannot read the stored account; see `system.quarantine`."""

    code = "ACCOUNT_UNREADABLE"


class TermsUnreadable(Refused):
    """A newer version of Propdesk wrote the terms of this sale, and this version cannot read them."""

    code = "TERMS_UNREADABLE"


class ModeReserved(Refused):
    """Accounts of this mode can be opened only by a challenge."""

    code = "MODE_RESERVED"


class LaterFillsNeedIt(Refused):
    """Later fills close the position of a fill to be voided. Void them in the same request."""

    code = "LATER_FILLS_NEED_IT"


class VerdictStands(Refused):
    """The verdict does not rest on void quotes, so it cannot be set aside."""

    code = "VERDICT_STANDS"


class StillBroken(Refused):
    """The phase fails even without the void quotes, so the verdict stands."""

    code = "STILL_BROKEN"


class AlreadyReinstated(Refused):
    """The verdict is already set aside, and the challenge goes on."""

    code = "ALREADY_REINSTATED"


class QuotesForgotten(Refused):
    """The quotes needed to recompute the run are older than the retention period and were deleted."""

    code = "QUOTES_FORGOTTEN"


class TooManyQuotes(Refused):
    """Recomputing the run needs more quotes than the limit; raise the setting named in the message."""

    code = "TOO_MANY_QUOTES"


class NoMarket(Refused):
    """The desk has no quotes yet; try again after the first quotes are ingested."""

    code = "NO_MARKET"
    transient = True


class Locked(Refused):
    """The desk could not lock the rows in time; nothing was changed, try again."""

    code = "LOCKED"
    transient = True


class Busy(Refused):
    """The limit of concurrent work is reached; nothing was done, try again after `retryAfter` seconds."""

    code = "BUSY"
    transient = True


class TimeLimit(Refused):
    """The document reached its time limit. This field changed nothing; request less, or try again."""

    code = "TIME_LIMIT"
    transient = True


class CallerGone(Refused):
    """The client disconnected before the response."""

    code = "CALLER_GONE"


class TooManyBatches(Refused):
    """The request has too many quotes of one symbol for its limit of batches. Send fewer at once, in order."""

    code = "TOO_MANY_BATCHES"
    transient = True


class TooManyActions(Refused):
    """The request has too many actions; send the rest in further requests."""

    code = "TOO_MANY_ACTIONS"


class Forbidden(Refused):
    """The role of the token does not allow this operation."""

    code = "FORBIDDEN"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a program. `path` is in the API's spelling, such as steps[0].profitTargetPct."""

    path: str
    code: str
    message: str


class InvalidProgram(Refused):
    """The program has faults and was not saved; correct the fields in the message."""

    code = "INVALID_PROGRAM"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems[0].path, **{problem.path: problem.message for problem in self.problems})
