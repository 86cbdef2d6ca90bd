"""Backtesting: recorded quotes and a list of actions go through the desk's own fold, gates and rules, with no database.

What a replay of the same quotes and actions leaves in a database is what `run` answers, to the last digit: figures,
orders, fills, positions, days, findings, the verdict, and with the same ids the ledger with its hashes. It covers the
account of one phase, or one without a challenge; the next phase, payouts and the account's completion are the desk's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from domain import days, execution, fold
from domain.accounts import Account, Journal, Mode
from domain.calendar import Calendar
from domain.execution import Moment
from domain.instruments import Catalogue
from domain.ledger import Facts, Kind
from domain.lifecycles import AccountStatus
from domain.money import plain
from domain.orders import Action, ActionResult
from domain.quotes import Batch, Listing, Quote, divide_into_batches, screen
from domain.refusals import STORED_MAX
from domain.rule_table import Rule
from domain.terms import Consequence, Group, PhaseTerms, PhaseType, Terms
from domain.verdicts import Conditions

HOUR = timedelta(hours=1)

Submission = tuple[int, Sequence[Action]]
"""The number of the batch after which the actions are submitted together, and the actions."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The account that is opened at the first batch, and what it may trade.

    The ids and the brand only stand in the history: with those of a database the hashes are its hashes too.
    """

    group: Group
    catalogue: Catalogue
    phase: PhaseTerms | None = None
    calendar: Calendar | None = None  # of the phase's trading days
    mark_ledger_interval: timedelta = HOUR
    account_id: int = 1
    challenge_id: int = 1
    phase_id: int = 1
    brand: str = "backtest"
    stored_refusals_max: int = STORED_MAX  # on one day

    @classmethod
    def of_phase(cls, terms: Terms, index: int, catalogue: Catalogue) -> "Setup":
        """Return the account of a program's phase, counted from 1."""
        phase = terms.phase(index)
        return cls(phase.group, catalogue, phase, Calendar(terms.zone, terms.day_start))

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            self.catalogue, self.mark_ledger_interval, self.calendar, self.phase, self.stored_refusals_max
        )


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The account at the last batch, all that happened to it, and one result for each action in order."""

    account: Account
    journal: Journal
    results: list[ActionResult] = field(default_factory=list)


def tape(quotes: Iterable[Quote], catalogue: Catalogue) -> list[Batch]:
    """Return recorded quotes as batches: screened, one batch per source time, numbered from 1."""
    listings = {symbol: Listing(instrument.price_precision) for symbol, instrument in catalogue.instruments.items()}
    parts = divide_into_batches(screen(quotes, listings, None).taken, by_time=True)
    batches: list[Batch] = []
    for number, part in enumerate(parts, 1):
        at = part[0].source_time
        batches.append(Batch(number, max(at, batches[-1].market_time) if batches else at, part))
    return batches


def run(setup: Setup, batches: Iterable[Batch], submissions: Iterable[Submission] = ()) -> BacktestResult:
    """Open the account at the first batch, then at each batch mark, judge, and submit what is due.

    Once the phase has ended, or the account has fallen to its liquidation level, open positions are closed at the
    first fresh quotes, as the desk's job does. Raises ValueError where there is no batch, batches or submissions do
    not ascend, or a submission's batch never comes.
    """
    fold = _Fold(setup)
    waiting = _ascending(submissions)
    due = next(waiting, None)
    for batch in batches:
        fold.take(batch)
        while due is not None and due[0] == batch.number:
            fold.submit(due[1])
            due = next(waiting, None)
    if due is not None:
        raise ValueError(f"actions are due after batch {due[0]}, which is not among the batches")
    return fold.outcome()


def _ascending(submissions: Iterable[Submission]) -> Iterator[Submission]:
    last = None
    for submission in submissions:
        if last is not None and submission[0] < last:
            raise ValueError(f"submissions must ascend: batch {submission[0]} comes after batch {last}")
        last = submission[0]
        yield submission


class _Fold:
    """The account on its way through the batches."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.conditions = setup, setup.conditions
        self.journal = Journal()
        self.account: Account | None = None
        self.moment: Moment | None = None
        self.known: dict[tuple[str, str], ActionResult] = {}
        self.results: list[ActionResult] = []

    def take(self, batch: Batch) -> None:
        """Bring the account to the batch."""
        before = self.moment
        if before is not None and (batch.number <= before.batch or batch.market_time < before.at):
            raise ValueError(f"batches must ascend: {batch.number} comes after {before.batch}")
        quotes = {quote.symbol: quote for quote in batch.quotes}
        self.moment = Moment({**(before.market if before else {}), **quotes}, batch.market_time, batch.number)
        if self.account is None or before is None:
            self.account = open_account(self.setup, self.moment, self.journal)
        else:
            self.account = fold.catch_up(self.account, before.market, [batch], self.conditions, self.journal)
        self._close()

    def submit(self, actions: Sequence[Action]) -> None:
        """Submit the actions together, as one batch of them."""
        assert self.account and self.moment, "actions are due after a batch"
        known = {key: self._now(self.known[key]) for key in {action.key for action in actions} & self.known.keys()}
        self.account, results = execution.submit(
            self.account, actions, known, self.moment, self.conditions, self.journal
        )
        self.known |= {
            result.content.key: result for result in results if result.seq is not None and not result.replayed
        }
        self.results += results
        self._close()

    def _now(self, result: ActionResult) -> ActionResult:
        """Return a stored result with the current state of its order and fill."""
        if result.order is None:
            return result
        seq = result.order.seq
        fill = next((fill for fill in self.journal.fills if fill.order_seq == seq), None)
        return replace(result, order=self.journal.orders[result.account, seq], fill=fill)

    def _close(self) -> None:
        """After the end, or a CLOSE_DAY, nothing stays open longer than it takes to get a fresh quote."""
        account, moment, journal = self.account, self.moment, self.journal
        assert account and moment, "the account is at a batch"
        closing = [finding.ledger_seq for finding in journal.findings if finding.consequence == Consequence.CLOSE_DAY]
        if closing and account.positions and account.phase and account.phase.running:
            self.account = account = execution.close_day(account, closing[-1], moment, self.conditions, journal)
        liquidated = journal.liquidations or any(verdict.rule == Rule.LIQUIDATION for verdict in journal.verdicts)
        if account.positions and (journal.verdicts or liquidated):
            reason = "LIQUIDATION" if liquidated else "PHASE_ENDED"
            self.account = execution.close_all(account, reason, moment, self.conditions, journal)

    def outcome(self) -> BacktestResult:
        if self.account is None:
            raise ValueError("a backtest needs at least one batch: the account is opened at the first")
        return BacktestResult(self.account, self.journal, self.results)


def open_account(setup: Setup, moment: Moment, journal: Journal) -> Account:
    """Create, fund and start the account as the desk does: three ledger rows, and the phase's first day."""
    group, phase, at, batch = setup.group, setup.phase, moment.at, moment.batch
    account = Account(
        id=setup.account_id,
        brand=setup.brand,
        currency=group.currency,
        mode=_mode(phase),
        status=AccountStatus.PENDING,
        policy=group.policy,
        starting_balance=group.deposit,
        marked_through=batch,
        marked_at=at,
    )
    created: Facts = {
        "mode": account.mode.value,
        "challenge": setup.challenge_id if phase else None,
        "phase_index": phase.index if phase else None,
        "group": group.name,
        "currency": group.currency,
    }
    account = journal.append(account, Kind.ACCOUNT_CREATED, at, batch, created)
    cause: Facts = {"cause": f"account {account.id} initial balance"}
    account = journal.append(account, Kind.DEPOSIT, at, batch, cause, group.deposit)
    started: Facts = {"balance": plain(account.cash)} | ({"phase_index": phase.index} if phase else {})
    account = journal.append(account, Kind.ACCOUNT_STARTED, at, batch, started)
    account = replace(account, status=AccountStatus.ACTIVE, high_watermark=account.equity)
    if phase is None:
        return account
    assert setup.calendar, "a phase has trading days"
    return days.begin(
        account,
        phase_id=setup.phase_id,
        challenge_id=setup.challenge_id,
        index=phase.index,
        initial_balance=group.deposit,
        calendar=setup.calendar,
        at=at,
        journal=journal,
    )


def _mode(phase: PhaseTerms | None) -> Mode:
    if phase is None:
        return Mode.AUDITION
    return Mode.FUNDED if phase.type is PhaseType.FUNDED else Mode.EVALUATION
