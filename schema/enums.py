"""Descriptions of the domain's enums for GraphQL, and the enum of error codes."""

from enum import Enum, EnumMeta, StrEnum
from typing import Any, cast

import strawberry

from domain.accounts import Mode
from domain.errors import REGISTRY, Busy, CallerGone, Forbidden, InvalidProgram, TimeLimit
from domain.gates import GateUnit
from domain.lifecycles import (
    AccountStatus,
    ActionStatus,
    ChallengeStatus,
    FillStatus,
    JobStatus,
    OrderStatus,
    PayoutStatus,
    PositionStatus,
    ProgramStatus,
    PurchaseStatus,
)
from domain.orders import OrderType, Verb
from domain.payments import PaidFrom, Payment
from domain.payouts import Condition
from domain.positions import Side
from domain.quotes import DeskMode
from domain.terms import (
    GroupKind,
    PhaseType,
    Slippage,
)
from domain.transfers import HousePurpose, MoneyKind, TransferKind
from schema import rule_enums  # noqa: F401 - describes the rule enums before a type uses them
from schema.engine.enum_types import describe_enum
from services.principals import Role

describe_enum(
    Role,
    "Role",
    "Role of a token: the set of operations it may perform.",
    ADMIN="Full access to every brand.",
    MANAGER="Full access to one brand.",
    CLIENT="A client: buys challenges, reads and trades its own.",
    TRADER="A trader or AI: reads and trades the accounts within the token's scope.",
    FEED="A quote source: submits quotes.",
    PAYMENTS="A payment provider: confirms payments received for its brand.",
)
describe_enum(
    ProgramStatus,
    "ProgramStatus",
    "State of a program.",
    ACTIVE="On sale.",
    DISABLED="Not on sale. A new program starts in this state.",
    ARCHIVED="Not on sale, and left out of lists unless the filter asks for it.",
)
describe_enum(
    PurchaseStatus,
    "PurchaseStatus",
    "State of a purchase.",
    PENDING="Bought. The price is reserved in the wallet, or still has to be paid outside.",
    PAID="Paid from the wallet or outside.",
    ACCOUNT_CREATED="Paid, and the first account has received its initial balance.",
    ACTIVE="The first account has started and the challenge is running.",
    FAILED="The challenge could not be started.",
    REFUNDED="The price was refunded.",
)
describe_enum(
    ChallengeStatus,
    "ChallengeStatus",
    "State of a challenge or of one of its phases.",
    PENDING="Not started.",
    ACTIVE="Running.",
    PASSED="Ended successfully.",
    FAILED="Failed by a breach.",
    CANCELLED="Ended without a verdict.",
)
describe_enum(
    PhaseType,
    "PhaseType",
    "Type of a phase.",
    EVALUATION="Phase in which the client proves itself on a DEMO account and has to reach a profit target.",
    FUNDED="Last phase: the client receives a share of the profit of a REAL account.",
)
describe_enum(
    GroupKind,
    "GroupKind",
    "Purpose of the accounts of a group.",
    DEMO="Accounts of evaluation phases.",
    REAL="Accounts of funded phases.",
)
describe_enum(
    Slippage,
    "Slippage",
    "Price at which orders are filled and positions are marked.",
    MID_PRICE="Midpoint of bid and ask.",
    BID_ASK="Buy at the ask, sell at the bid.",
)
describe_enum(
    Mode,
    "AccountMode",
    "Purpose of an account.",
    AUDITION="A trial account without a challenge.",
    EVALUATION="The account of an evaluation phase.",
    FUNDED="The account of a funded phase.",
    RACE="The account of a race, a competition between accounts.",
)
describe_enum(
    AccountStatus,
    "AccountStatus",
    "State of an account.",
    PENDING="Created but not started.",
    ACTIVE="Accepts actions.",
    PAUSED="Accepts no actions until it is resumed.",
    LOCKED="Accepts no actions until it is unlocked.",
    COMPLETED="Ended without liquidation.",
    LIQUIDATED="Ended by liquidation.",
)
describe_enum(
    ActionStatus,
    "ActionStatus",
    "Result of a decision action.",
    EXECUTED="Executed: the order was filled or, for PROTECT, the stop-loss and take-profit were set.",
    WORKING="The order was placed and waits for its price.",
    REJECTED="Rejected by a gate, which `code` names.",
)
describe_enum(
    OrderStatus,
    "OrderStatus",
    "State of an order.",
    WORKING="Waiting for its price.",
    FILLED="Executed.",
    CANCELLED="Cancelled before it was filled.",
    REJECTED="Rejected by a gate when its price was reached.",
    VOID="Its fill was voided by a correction.",
)
describe_enum(
    Verb,
    "ActionVerb",
    "Effect of an order or action on a position.",
    OPEN="Open a position.",
    INCREASE="Increase an open position.",
    REDUCE="Close a part of a position.",
    CLOSE="Close a position completely.",
    PROTECT="Set, move or remove the stop-loss and take-profit of a position. Only for actions; no order has this "
    "value.",
)
describe_enum(
    Side,
    "Side",
    "Side of a position.",
    LONG="Long: gains when the price rises.",
    SHORT="Short: gains when the price falls.",
)
describe_enum(
    GateUnit,
    "GateUnit",
    "Unit of a gate's figures.",
    MONEY="Amount in the account's currency.",
    COUNT="Number of positions or orders.",
)
describe_enum(
    PayoutStatus,
    "PayoutStatus",
    "State of a payout.",
    REQUESTED="Waits for a manager's decision.",
    APPROVED="Approved, and about to be paid.",
    PAID="Paid to the client's wallet.",
    REJECTED="Rejected by a manager or admin.",
    CANCELLED="Cancelled by the client or the firm's staff.",
)
describe_enum(
    OrderType,
    "OrderType",
    "Type of an order.",
    MARKET="Filled at once.",
    LIMIT="Filled when a quote reaches its price or a better one.",
    STOP="Filled when a quote reaches its price or a worse one.",
    STOP_LOSS="Closes the position when a quote reaches its price or a worse one.",
    TAKE_PROFIT="Closes the position when a quote reaches its price or a better one.",
)
describe_enum(
    JobStatus,
    "JobStatus",
    "State of a job.",
    QUEUED="Waiting for a worker.",
    DONE="Done, or no longer needed.",
    DEAD="Every attempt failed; a manager or admin can retry it.",
)


class HistoryOrder(StrEnum):
    NEWEST_FIRST = "NEWEST_FIRST"
    OLDEST_FIRST = "OLDEST_FIRST"


describe_enum(
    PositionStatus, "PositionStatus", "State of a position.", OPEN="Not closed completely.", CLOSED="Closed completely."
)
describe_enum(
    FillStatus,
    "FillStatus",
    "State of a fill.",
    BOOKED="Booked: the fill counts.",
    VOID="Voided: a correction in the ledger undid the fill.",
)
describe_enum(
    PaidFrom,
    "PaidFrom",
    "Source of the payment of a purchase.",
    WALLET="The client's wallet.",
    OUTSIDE="A payment outside the desk, confirmed by a manager or the payment provider. No money was moved by the "
    "desk.",
)
describe_enum(
    Payment,
    "Payment",
    "Method of paying for a purchase.",
    WALLET="From the client's wallet; the price is reserved at once.",
    EXTERNAL="Outside the desk, for example by card or bank transfer. The challenge starts when the payment is "
    "confirmed.",
)
describe_enum(
    DeskMode,
    "DeskMode",
    "Clock of the desk.",
    SYSTEM="The system clock.",
    REPLAY="The time of the newest quotes, for replaying recorded quotes.",
)
describe_enum(
    MoneyKind,
    "MoneyKind",
    "Money that a transfer moves.",
    REAL="Real money: wallets, the treasury, and money outside the desk.",
    SYNTHETIC="Synthetic money of trading accounts and of the capital that funds them.",
)
describe_enum(
    TransferKind,
    "TransferKind",
    "Purpose of a transfer.",
    FEE="Price of a challenge: from the client's wallet to the treasury.",
    FEE_RETURN="Price of a purchase returned to the client with the first payout.",
    REFUND="Price refunded to the client.",
    DEPOSIT="Initial balance of an account: from the capital to the account.",
    ADJUSTMENT="Amount that a manager or admin booked on an account: from or to the capital.",
    PAYOUT_PROFIT="Profit of a payout: from the account into the payout hold, then to the capital, or back to the "
    "account.",
    PAYOUT_SHARE="Client's share of a payout: from the treasury to the wallet.",
    TOP_UP="Deposit from outside into a wallet.",
    WITHDRAWAL="Withdrawal from a wallet to outside.",
)
describe_enum(
    HousePurpose,
    "HousePurpose",
    "Account of the firm itself. There is one of each kind for every brand and currency; its balance may be negative.",
    TREASURY="Real money of the firm.",
    EXTERNAL="Counterpart of all real money that enters or leaves the desk.",
    CAPITAL="Synthetic money from which trading accounts are funded.",
    PAYOUT_HOLD="Profits of payouts that are not paid yet.",
)
describe_enum(
    Condition,
    "PayoutCondition",
    "Condition for a payout.",
    FUNDED_PHASE="The funded phase of the challenge is running.",
    NO_OPEN_PAYOUT="No other payout of the challenge is waiting for a decision or payment.",
    FLAT="The account has no open position.",
    AMOUNT="The requested amount is at least the minimum of the terms.",
    BUFFER="The profit left on the account is at least the buffer of the terms.",
    PROFIT="The balance exceeds the starting balance by the minimum profit of the terms.",
    ABOVE_FLOORS="The remaining balance is above every loss limit.",
    TRADING_DAYS="The minimum number of trading days since the start or the last payout is reached.",
    PROFITABLE_DAYS="The minimum number of profitable days since the start or the last payout is reached.",
    CYCLE="The minimum number of days since the start or the last payout has passed.",
    BEST_DAY="The profit since the last payout is large enough for the best day's share of it to be within its limit.",
    PHASE_TRADING_DAYS="The phase's minimum number of trading days since its start is reached.",
    PHASE_PROFITABLE_DAYS="The phase's minimum number of profitable days since its start is reached.",
)
describe_enum(
    HistoryOrder,
    "HistoryOrder",
    "Sort order of a history.",
    NEWEST_FIRST="Newest first.",
    OLDEST_FIRST="Oldest first.",
)


def _code(refusal: Any) -> Any:
    words = (refusal.__doc__ or "").strip().splitlines()[0]
    return strawberry.enum_value(
        refusal.code,
        description=f"{words} {'The same request may succeed later.' if refusal.transient else ''}".strip(),
    )


# Codes of top-level errors, and INVALID_PROGRAM, which becomes one user error for each problem.
_NOT_USER_ERRORS = {Forbidden.code, Busy.code, TimeLimit.code, CallerGone.code, InvalidProgram.code}
_CODES = {code: _code(kind) for code, kind in sorted(REGISTRY.items()) if code not in _NOT_USER_ERRORS}
ErrorCode: Any = strawberry.enum(
    cast("EnumMeta", Enum("ErrorCode", _CODES)), description="Reason why a mutation was refused."
)
