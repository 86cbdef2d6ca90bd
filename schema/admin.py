"""Inputs and payloads of the mutations by which managers and admins change an account."""

from decimal import Decimal

import strawberry
from strawberry import ID, field

from domain.accounts import Mode
from schema.accounts import Account
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload


@strawberry.type(description="Account after a mutation.")
class AccountPayload(Payload):
    account: Account | None = field(default=None, description="Account after the mutation; null if refused.")


@strawberry.input(description="Account to change.")
class AccountInput:
    account_id: ID = field(description="Account number.")


@strawberry.input(description="Account to change, with a reason.")
class ReasonedInput(AccountInput):
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It is stored in the account's ledger.")


@strawberry.input(description="New account outside any challenge.")
class CreateAccountInput:
    mode: Mode = field(description="AUDITION or RACE. Accounts of challenge phases are opened by their challenge.")
    idempotency_key: str = field(description="Idempotency key. Repeating key and content returns the same account.")
    group: str | None = field(
        default=None,
        description="Name of the account group that sets currency, deposit and policy. If left out: 100,000 USDC and "
        "the default policy.",
    )
    owner: str | None = field(default=None, description="Client for whom the account is traded.")
    clone: str | None = field(default=None, description="AI that trades the account.")
    parent_id: ID | None = field(default=None, description="Account of the same brand from which the new one descends.")
    brand: str | None = field(default=None, description="Brand name. Required for an ADMIN; a MANAGER uses its own.")


@strawberry.type(description="Result of creating an account.")
class CreateAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to start.")
class StartAccountInput(AccountInput): ...


@strawberry.type(description="Result of starting an account.")
class StartAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to complete.")
class CompleteAccountInput(AccountInput): ...


@strawberry.type(
    description="Result of completing an account: it is COMPLETED, or read-only until its last position is closed."
)
class CompleteAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to liquidate, with a reason.")
class LiquidateAccountInput(ReasonedInput): ...


@strawberry.type(
    description="Result of liquidating an account: it is LIQUIDATED, or read-only until its last position is closed."
)
class LiquidateAccountPayload(AccountPayload): ...


@strawberry.input(description="Amount to book on an account, with a reason.")
class AdjustAccountInput(ReasonedInput):
    amount: Decimal = field(description="Amount in the account's currency: positive is a credit, negative a debit.")
    counts_as_profit: bool = field(
        description="True if the amount counts as profit or loss of the trading day and the phase. False if it is "
        "capital: the starting balance, every floor, day start and peak then move by the amount."
    )
    idempotency_key: str = field(description="Idempotency key. Repeating key and content books nothing more.")


@strawberry.type(description="Result of an adjustment: the account after the booking, judged by its rules.")
class AdjustAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to pause, with a reason.")
class PauseAccountInput(ReasonedInput): ...


@strawberry.type(description="Result of pausing an account.")
class PauseAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to resume, with a reason.")
class ResumeAccountInput(ReasonedInput): ...


@strawberry.type(description="Result of resuming an account.")
class ResumeAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to lock, with a reason.")
class LockAccountInput(ReasonedInput): ...


@strawberry.type(description="Result of locking an account.")
class LockAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to unlock, with a reason.")
class UnlockAccountInput(ReasonedInput): ...


@strawberry.type(description="Result of unlocking an account: it returns to the state it had when it was locked.")
class UnlockAccountPayload(AccountPayload): ...


@strawberry.input(description="Account to release from quarantine, with the correction that was made.")
class ReleaseQuarantineInput(AccountInput):
    reason: str = field(description=f"Correction that was made. {INTERNAL}")
    pass_over: bool = field(
        default=False,
        description="True to skip all batches of quotes since the last mark: the account is neither marked nor judged "
        "by them. Use it only if no correction makes those batches computable.",
    )


@strawberry.type(
    description="Result of releasing an account; `account` is null if it still cannot be read or computed."
)
class ReleaseQuarantinePayload(AccountPayload): ...
