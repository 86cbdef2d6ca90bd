"""The domain's words as GraphQL enums, each value described, and the codes of user errors.

Those of a program's limits and rules are in `schema/rule_enums.py`.
"""

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
from schema import rule_enums  # noqa: F401 - they are described before a type uses them
from schema.engine.enum_types import describe_enum
from services.principals import Role

describe_enum(
    Role,
    "Role",
    "What a token may do.",
    ADMIN="Everything, in every brand.",
    MANAGER="Everything of its brand.",
    CLIENT="Buys challenges; sees and trades its own.",
    TRADER="Trades and reads within the scope of its token.",
    FEED="Hands in quotes.",
    PAYMENTS="Confirms payments that a provider received for its brand.",
)
describe_enum(
    ProgramStatus,
    "ProgramStatus",
    "Whether a program is on sale.",
    ACTIVE="On sale.",
    DISABLED="Not on sale; new programs begin so.",
    ARCHIVED="Not on sale, and hidden from lists unless asked for.",
)
describe_enum(
    PurchaseStatus,
    "PurchaseStatus",
    "How far the activation of a purchase has come.",
    PENDING="Bought; the price is reserved on the wallet, or still to be paid outside.",
    PAID="The price has been taken, or was paid outside.",
    ACCOUNT_CREATED="The first account holds its initial balance.",
    ACTIVE="The first account has started; the challenge runs.",
    FAILED="The activation failed.",
    REFUNDED="The price was given back.",
)
describe_enum(
    ChallengeStatus,
    "ChallengeStatus",
    "The state of a challenge, or of one of its phases.",
    PENDING="Not begun.",
    ACTIVE="Running.",
    PASSED="Ended with success.",
    FAILED="Ended by a breach.",
    CANCELLED="Ended without a verdict.",
)
describe_enum(
    PhaseType,
    "PhaseType",
    "What a phase is for.",
    EVALUATION="The client proves itself on a DEMO account.",
    FUNDED="The client earns a share of the profit on a REAL account; the last phase.",
)
describe_enum(
    GroupKind,
    "GroupKind",
    "What the accounts of a group are for.",
    DEMO="Accounts of evaluation phases.",
    REAL="Accounts of funded phases.",
)
describe_enum(
    Slippage,
    "Slippage",
    "At which price orders are filled and positions marked.",
    MID_PRICE="The middle of bid and ask.",
    BID_ASK="Buys at the ask, sells at the bid.",
)
describe_enum(
    Mode,
    "AccountMode",
    "What an account is for.",
    AUDITION="On its own, without a challenge.",
    EVALUATION="An evaluation phase.",
    FUNDED="A funded phase.",
    RACE="A race.",
)
describe_enum(
    AccountStatus,
    "AccountStatus",
    "The state of an account.",
    PENDING="Made, not started.",
    ACTIVE="Open for actions.",
    PAUSED="Closed for actions until resumed.",
    LOCKED="Closed for actions until unlocked.",
    COMPLETED="Ended.",
    LIQUIDATED="Ended by force.",
)
describe_enum(
    ActionStatus,
    "ActionStatus",
    "What became of a decision action.",
    EXECUTED="Filled; of a PROTECT, done.",
    WORKING="Its order rests.",
    REJECTED="Stopped at a gate; `code` says which.",
)
describe_enum(
    OrderStatus,
    "OrderStatus",
    "The state of an order.",
    WORKING="Resting.",
    FILLED="Executed.",
    CANCELLED="Withdrawn before it was executed.",
    REJECTED="Refused when it was triggered.",
    VOID="Its fill was undone.",
)
describe_enum(
    Verb,
    "ActionVerb",
    "What an order does to a position.",
    OPEN="Opens the side.",
    INCREASE="Adds to it.",
    REDUCE="Closes a part of it.",
    CLOSE="Closes all of it.",
    PROTECT="Sets, moves or removes its stop-loss and take-profit; of actions alone.",
)
describe_enum(Side, "Side", "The side of a position.", LONG="Gains when the price rises.", SHORT="Gains when it falls.")
describe_enum(GateUnit, "GateUnit", "What a gate counts in.", MONEY="The account's currency.", COUNT="Things.")
describe_enum(
    PayoutStatus,
    "PayoutStatus",
    "The state of a payout.",
    REQUESTED="Waits for a decision.",
    APPROVED="Will be paid.",
    PAID="Paid to the wallet.",
    REJECTED="Refused.",
    CANCELLED="Withdrawn by the client.",
)
describe_enum(
    OrderType,
    "OrderType",
    "How an order waits for its price.",
    MARKET="Not at all: it is filled at once.",
    LIMIT="Until a quote is at its price or better.",
    STOP="Until a quote is at its price or worse.",
    STOP_LOSS="Closes the position once a quote is at its price or worse.",
    TAKE_PROFIT="Closes the position once a quote is at its price or better.",
)
describe_enum(
    JobStatus,
    "JobStatus",
    "The state of a job.",
    QUEUED="Owed.",
    DONE="Done, or its cause is gone.",
    DEAD="Every attempt failed; it may be retried.",
)


class HistoryOrder(StrEnum):
    NEWEST_FIRST = "NEWEST_FIRST"
    OLDEST_FIRST = "OLDEST_FIRST"


describe_enum(
    PositionStatus, "PositionStatus", "The state of a position.", OPEN="Held.", CLOSED="All of it was closed."
)
describe_enum(
    FillStatus,
    "FillStatus",
    "The state of a fill.",
    BOOKED="It counts.",
    VOID="It was undone; a correction is on the ledger.",
)
describe_enum(
    PaidFrom,
    "PaidFrom",
    "Where the price of a purchase came from.",
    WALLET="From the client's wallet.",
    OUTSIDE="From outside: a manager or the payment provider confirmed it, and no money moved here.",
)
describe_enum(
    Payment,
    "Payment",
    "How a purchase is paid.",
    WALLET="From the client's wallet: the price is reserved at once.",
    EXTERNAL="Outside the desk, by card or bank: the challenge begins once the payment is confirmed.",
)
describe_enum(
    DeskMode,
    "DeskMode",
    "Which clock the desk goes by.",
    SYSTEM="Real time.",
    REPLAY="The time of the newest quotes.",
)
describe_enum(
    MoneyKind,
    "MoneyKind",
    "Which money a transfer moves.",
    REAL="Real money: wallets, treasury, and what is outside.",
    SYNTHETIC="Money of the desk's own: accounts and capital.",
)
describe_enum(
    TransferKind,
    "TransferKind",
    "What a transfer is for.",
    FEE="The price of a challenge, from the client's wallet to the treasury.",
    FEE_RETURN="The price of a purchase, back to the client with the first payout.",
    REFUND="A price given back.",
    DEPOSIT="An account's initial balance, from the capital.",
    ADJUSTMENT="An amount booked on an account by hand, against the firm's synthetic capital.",
    PAYOUT_PROFIT="A profit on its way: from its account into the hold, on to the capital, or back.",
    PAYOUT_SHARE="The client's share of a profit, from the treasury to its wallet.",
    TOP_UP="Money from outside for a wallet.",
    WITHDRAWAL="Money that leaves a wallet for outside.",
)
describe_enum(
    HousePurpose,
    "HousePurpose",
    "The firm's accounts, one of each for every brand and currency; they may be negative.",
    TREASURY="The firm's real money.",
    EXTERNAL="What is outside: where real money comes from and goes to.",
    CAPITAL="The synthetic money that accounts are funded with.",
    PAYOUT_HOLD="Profits of payouts that are not paid yet.",
)
describe_enum(
    Condition,
    "PayoutCondition",
    "A condition of a payout.",
    FUNDED_PHASE="The challenge's funded phase runs.",
    NO_OPEN_PAYOUT="No payout of the challenge waits to be decided or paid.",
    FLAT="The account holds no position.",
    AMOUNT="The amount that leaves the account is large enough.",
    BUFFER="The profit that stays on the account is large enough.",
    PROFIT="The balance is above the initial one, by the least profit that the terms name.",
    ABOVE_FLOORS="The balance that is left breaks no limit.",
    TRADING_DAYS="So many trading days since the start or the last payout.",
    PROFITABLE_DAYS="So many profitable days since the start or the last payout.",
    CYCLE="So many days since the start or the last payout.",
    BEST_DAY="The profit since the last payout, as much as its best day's largest share asks for.",
    PHASE_TRADING_DAYS="The phase's least number of trading days since its start.",
    PHASE_PROFITABLE_DAYS="The phase's least number of profitable days since its start.",
)
describe_enum(
    HistoryOrder,
    "HistoryOrder",
    "The order of a history.",
    NEWEST_FIRST="From the newest back.",
    OLDEST_FIRST="From the beginning on.",
)


def _code(refusal: Any) -> Any:
    words = (refusal.__doc__ or "").strip().splitlines()[0]
    return strawberry.enum_value(
        refusal.code, description=f"{words} {'Trying again may help.' if refusal.transient else ''}".strip()
    )


# Top-level errors; and one user error for each problem of a program.
_BESIDE_DATA = {Forbidden.code, Busy.code, TimeLimit.code, CallerGone.code, InvalidProgram.code}
_CODES = {code: _code(kind) for code, kind in sorted(REGISTRY.items()) if code not in _BESIDE_DATA}
ErrorCode: Any = strawberry.enum(cast("EnumMeta", Enum("ErrorCode", _CODES)), description="Why a mutation did nothing.")
