"""Refusals: what the desk will not do, why, and whether asking again may help.

    Refused
    ├── InvalidInput          a field's value cannot be used; names the field
    ├── InvalidProgram        everything that is wrong with a program at once
    ├── Forbidden             your role may not do this
    ├── NotFound              no such object, or not yours to see
    ├── InvalidTransition     the life cycle has no such move
    ├── VersionConflict       the object changed since it was read
    ├── IdempotencyConflict   the key was used for another request; names the field
    ├── ProgramNotAvailable, InsufficientFunds, WalletCurrencyMismatch, ...
    └── NoMarket, Locked, Busy   transient: try again

A refusal is an answer and carries facts; a fault is an assertion and crashes. The docstring is the message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from domain.money import NotStorable, plain

REASON_MAX = 500  # characters of the reason why an account cannot be read or computed
REGISTRY: dict[str, type["Refused"]] = {}


class Refused(Exception):
    """The desk will not do this."""

    code: ClassVar[str] = "REFUSED"
    transient: ClassVar[bool] = False

    def __init__(self, field: str | None = None, **facts: object) -> None:
        self.field = field
        self.facts = facts
        told = ", ".join(f"{_called(name, field)} {_text(value)}".strip() for name, value in facts.items())
        message = (self.__doc__ or "").strip().splitlines()[0].rstrip(".")
        super().__init__(f"{message}: {told}." if told else f"{message}.")

    def __init_subclass__(cls) -> None:
        REGISTRY[cls.code] = cls


def _text(value: object) -> str:
    """A fact as the message shows it: amounts as the API writes them, 500 and not 500.00000000."""
    return plain(value) if isinstance(value, Decimal) else str(value)


def _called(fact: str, field: str | None) -> str:
    """How the message calls it; a reason says what is wrong with the field."""
    return (field or "") if fact == "reason" else fact.replace("_", " ")


class InvalidInput(Refused):
    """This value cannot be used."""

    code = "INVALID_INPUT"


class NotFound(Refused):
    """There is no such object."""

    code = "NOT_FOUND"


class AlreadyExists(Refused):
    """An object of this name exists already."""

    code = "ALREADY_EXISTS"


class InUse(Refused):
    """Something still depends on it; close, cancel or change what is named first."""

    code = "IN_USE"
    transient = True


class InvalidTransition(Refused):
    """The life cycle does not allow this move."""

    code = "INVALID_TRANSITION"


class VersionConflict(Refused):
    """The object has changed since it was read; read it again and repeat the change."""

    code = "VERSION_CONFLICT"
    transient = True


class IdempotencyConflict(Refused):
    """This idempotency key was already used for a different request."""

    code = "IDEMPOTENCY_CONFLICT"


class ProgramNotAvailable(Refused):
    """The program is not on sale."""

    code = "PROGRAM_NOT_AVAILABLE"


class InsufficientFunds(Refused):
    """The wallet does not hold enough free cash."""

    code = "INSUFFICIENT_FUNDS"
    transient = True


class WalletMismatch(Refused):
    """The wallet is not in the currency of the price."""

    code = "WALLET_MISMATCH"


class PaymentMismatch(Refused):
    """The payment is not the price of the purchase."""

    code = "PAYMENT_MISMATCH"


class PaymentExpired(Refused):
    """The payment came too late; the purchase is no longer open."""

    code = "PAYMENT_EXPIRED"


class AlreadyPaid(Refused):
    """The purchase has been paid already."""

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
    """The purchase has a challenge, and is neither failed nor refunded."""

    code = "PURCHASE_LINKED"


class FeeNotTaken(Refused):
    """The purchase was never paid; there is nothing to give back."""

    code = "FEE_NOT_TAKEN"


class FeeReturned(Refused):
    """The price came back to the client with a payout; there is nothing left to give back."""

    code = "FEE_RETURNED"


class PayoutOpen(Refused):
    """A payout is open; decide on it first, or wait until it is paid."""

    code = "PAYOUT_OPEN"
    transient = True


class AccountInChallenge(Refused):
    """The account belongs to a challenge, which decides over it."""

    code = "ACCOUNT_IN_CHALLENGE"


class AccountTerminal(Refused):
    """The account has ended; nothing can be done with it any more."""

    code = "ACCOUNT_TERMINAL"


class AccountEnding(Refused):
    """The account is already being closed; it ends as soon as what it holds has fresh quotes."""

    code = "ACCOUNT_ENDING"


class AccountQuarantined(Refused):
    """The account cannot be computed as it is stored; put right what the reason names, then releaseQuarantine."""

    code = "ACCOUNT_QUARANTINED"

    @classmethod
    def because_of(cls, error: Exception, *accounts: int) -> "AccountQuarantined":
        """The refusal for accounts of which computing or storing one raised the error.

        Its text is told where it names the account's figures alone; else it is for the quarantine and the log.
        """
        kind = type(error).__name__
        reason = f"{kind}: {error}" if isinstance(error, NotStorable) else kind
        return cls(None, account=", ".join(map(str, accounts)), reason=reason)


class AccountUnreadable(Refused):
    """The account as it is stored cannot be read by this version; `system.quarantine` names it."""

    code = "ACCOUNT_UNREADABLE"


class TermsUnreadable(Refused):
    """The terms of this sale cannot be read by this version: a newer one wrote them."""

    code = "TERMS_UNREADABLE"


class ModeReserved(Refused):
    """Accounts of this mode are opened by a challenge alone."""

    code = "MODE_RESERVED"


class LaterFillsNeedIt(Refused):
    """Later fills close what would be taken away; they would have to be voided with it."""

    code = "LATER_FILLS_NEED_IT"


class VerdictStands(Refused):
    """The verdict does not rest on void quotes; it cannot be set aside."""

    code = "VERDICT_STANDS"


class StillBroken(Refused):
    """The phase fails even when the void quotes are left out, so the verdict stands."""

    code = "STILL_BROKEN"


class AlreadyReinstated(Refused):
    """The verdict has been set aside already; the challenge goes on."""

    code = "ALREADY_REINSTATED"


class QuotesForgotten(Refused):
    """The quotes by which the run would be computed again are no longer kept."""

    code = "QUOTES_FORGOTTEN"


class TooManyQuotes(Refused):
    """Computing the run again takes more quotes than may be read for one; raise the setting that is named."""

    code = "TOO_MANY_QUOTES"


class NoMarket(Refused):
    """The desk has no quotes yet."""

    code = "NO_MARKET"
    transient = True


class Locked(Refused):
    """The desk could not get the locks in time; nothing was done, try again."""

    code = "LOCKED"
    transient = True


class Busy(Refused):
    """As much is under way as may be at once; nothing was done, ask again after `retryAfter` seconds."""

    code = "BUSY"
    transient = True


class TimeLimit(Refused):
    """The document took as long as it may; this field was not answered, and nothing of it was done."""

    code = "TIME_LIMIT"
    transient = True


class CallerGone(Refused):
    """The client went away before its answer."""

    code = "CALLER_GONE"


class TooManyBatches(Refused):
    """So many quotes of one symbol need more batches than one request may make; hand in fewer at once, in order."""

    code = "TOO_MANY_BATCHES"
    transient = True


class TooManyActions(Refused):
    """One request may not propose so many actions; send the rest in further requests."""

    code = "TOO_MANY_ACTIONS"


class Forbidden(Refused):
    """Your role may not do this."""

    code = "FORBIDDEN"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a program. `path` is the API's, such as steps[0].profitTargetPct."""

    path: str
    code: str
    message: str


class InvalidProgram(Refused):
    """The program cannot be saved as it is."""

    code = "INVALID_PROGRAM"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems[0].path, **{problem.path: problem.message for problem in self.problems})
