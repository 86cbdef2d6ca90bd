"""Accounts by hand: what managers and admins ask for, and what they are answered."""

from decimal import Decimal

import strawberry
from strawberry import ID, field

from domain.accounts import Mode
from schema.accounts import Account
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload


@strawberry.type(description="The account after it.")
class AccountPayload(Payload):
    account: Account | None = field(default=None, description="The account as it is now; null if nothing was done.")


@strawberry.input(description="One account.")
class AccountInput:
    account_id: ID = field(description="The account.")


@strawberry.input(description="One account, and why.")
class ReasonedInput(AccountInput):
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It stands in the account's ledger.")


@strawberry.input(description="An account to open outside any challenge.")
class CreateAccountInput:
    mode: Mode = field(description="AUDITION or RACE; the accounts of phases are opened by their challenge.")
    idempotency_key: str = field(description="The same key and content again answers the same account.")
    group: str | None = field(
        default=None,
        description="The account group whose currency, deposit and policy it keeps; left out, 100,000 USDC and the "
        "default policy.",
    )
    owner: str | None = field(default=None, description="The client it is traded for.")
    clone: str | None = field(default=None, description="The AI that trades it.")
    parent_id: ID | None = field(default=None, description="The account of the same brand it descends from.")
    brand: str | None = field(default=None, description="The brand; an ADMIN names it, a MANAGER's is its own.")


@strawberry.type(description="The new account.")
class CreateAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to start.")
class StartAccountInput(AccountInput): ...


@strawberry.type(description="The started account.")
class StartAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to complete.")
class CompleteAccountInput(AccountInput): ...


@strawberry.type(description="The account, COMPLETED, or read-only until the last of what it holds is closed.")
class CompleteAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to liquidate, and why.")
class LiquidateAccountInput(ReasonedInput): ...


@strawberry.type(description="The account, LIQUIDATED, or read-only until the last of what it holds is closed.")
class LiquidateAccountPayload(AccountPayload): ...


@strawberry.input(description="The amount to book on an account, and why.")
class AdjustAccountInput(ReasonedInput):
    amount: Decimal = field(description="In the account's currency: above 0 the account gets it, below 0 it gives it.")
    counts_as_profit: bool = field(
        description="Whether it is profit or loss, of the day and of the phase. If not it is capital: the initial "
        "balance and every floor, start and high move with it."
    )
    idempotency_key: str = field(description="The same key and content again books nothing more.")


@strawberry.type(description="The account after the booking, judged by its rules.")
class AdjustAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to pause, and why.")
class PauseAccountInput(ReasonedInput): ...


@strawberry.type(description="The paused account.")
class PauseAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to resume, and why.")
class ResumeAccountInput(ReasonedInput): ...


@strawberry.type(description="The resumed account.")
class ResumeAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to lock, and why.")
class LockAccountInput(ReasonedInput): ...


@strawberry.type(description="The locked account.")
class LockAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to unlock, and why.")
class UnlockAccountInput(ReasonedInput): ...


@strawberry.type(description="The account in the state it was locked in.")
class UnlockAccountPayload(AccountPayload): ...


@strawberry.input(description="The account to let out of quarantine, and what was put right.")
class ReleaseQuarantineInput(AccountInput):
    reason: str = field(description=f"What was put right. {INTERNAL}")
    pass_over: bool = field(
        default=False,
        description="Whether to go on from the newest quotes: the batches since its last mark then neither mark nor "
        "judge it. For an account that no correction brings through those batches.",
    )


@strawberry.type(description="The account, computed again; `account` is null if it still cannot be read or computed.")
class ReleaseQuarantinePayload(AccountPayload): ...
