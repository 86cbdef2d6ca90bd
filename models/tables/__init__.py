"""The tables: one model for each, the single source of its columns, keys, indexes and comments."""

from models.tables.accounts import Account, Balance
from models.tables.actions import DecisionAction
from models.tables.audits import AuditEntry, AuditHead
from models.tables.brands import Brand
from models.tables.breaches import Breach
from models.tables.challenges import Challenge, ChallengePhase, Day
from models.tables.currencies import Currency
from models.tables.events import BrandPosition, ChallengeNumber, Epoch, Event, EventPosition, OutboxEvent
from models.tables.fills import Fill
from models.tables.groups import AccountGroup
from models.tables.instruments import CatalogueVersion, Instrument, InstrumentName
from models.tables.jobs import Job
from models.tables.ledger import LedgerEntry
from models.tables.metrics import Metric
from models.tables.orders import Order
from models.tables.payouts import Payout
from models.tables.positions import Position
from models.tables.programs import Program, ProgramPhase
from models.tables.purchases import Purchase
from models.tables.quotes import Batch, DroppedQuote, LatestQuote, Quote, StandingQuote, SuspectQuote
from models.tables.receipts import Receipt
from models.tables.reinstatements import BulkReinstatement, BulkResult, Reinstatement
from models.tables.removals import ProgramRemoval, RemovedSale
from models.tables.system import BearerWrite, BookCheck, Desk, Heartbeat, PeriodicSlot, Quarantined, Retention, Shard
from models.tables.terms import Terms
from models.tables.tokens import Token
from models.tables.voids import QuoteVoid
from models.tables.wallets import HouseAccount, Transfer, Wallet

__models__ = [
    Brand,
    Token,
    Currency,
    Instrument,
    InstrumentName,
    CatalogueVersion,
    AccountGroup,
    Program,
    ProgramPhase,
    Wallet,
    HouseAccount,
    Transfer,
    Terms,
    Purchase,
    Challenge,
    ChallengePhase,
    Day,
    Account,
    Balance,
    DecisionAction,
    Order,
    Position,
    Fill,
    LedgerEntry,
    Metric,
    Breach,
    Reinstatement,
    BulkReinstatement,
    BulkResult,
    Payout,
    Job,
    AuditEntry,
    AuditHead,
    Receipt,
    ProgramRemoval,
    RemovedSale,
    Batch,
    Quote,
    LatestQuote,
    SuspectQuote,
    StandingQuote,
    DroppedQuote,
    QuoteVoid,
    OutboxEvent,
    Event,
    ChallengeNumber,
    BrandPosition,
    EventPosition,
    Epoch,
    Desk,
    Retention,
    BookCheck,
    Shard,
    Heartbeat,
    BearerWrite,
    PeriodicSlot,
    Quarantined,
]
