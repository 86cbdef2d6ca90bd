"""Jobs."""

from datetime import datetime

import strawberry
from strawberry import ID, field

from domain.lifecycles import JobStatus
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.payloads import Payload
from services.views.lists import JOBS


@strawberry.type(
    description="Work that follows from a committed change, such as charging a fee or paying a payout; workers do it."
)
class Job(FromRow, listing=JOBS):
    id: ID = field(description="Job id.")
    brand: str = field(description="Name of the brand.")
    kind: str = field(description="Kind of work.")
    status: JobStatus = field(description="State of the job.")
    attempts: int = field(description="Number of attempts so far.")
    challenge_id: ID | None = field(description="Challenge to which the job belongs; null if none.")
    account_id: ID | None = field(description="Account to which the job belongs; null if none.")
    waits_for_batch: Long | None = field(description="Batch of quotes for which the job waits; null if none.")
    due_at: datetime = field(description="Time before which the job is not attempted.")
    outcome: str | None = field(description="Result, or error of the last attempt; null before the first attempt.")
    created_at: datetime = field(description="Time at which the job was written.")
    done_at: datetime | None = field(description="Time at which the job was done; null until then.")


@strawberry.input(description="Filter for jobs.")
class JobFilter:
    brand: str | None = field(default=None, description="Only jobs of this brand.")
    status: list[JobStatus] | None = field(default=None, description="Only jobs in one of these states.")
    kind: str | None = field(default=None, description="Only jobs of this kind.")
    challenge_id: ID | None = field(default=None, description="Only jobs of this challenge.")
    account_id: ID | None = field(default=None, description="Only jobs of this account.")


@strawberry.input(description="Job to retry.")
class RetryJobInput:
    id: ID = field(description="Job id. The job must be DEAD.")


@strawberry.type(description="Result of retrying a job.")
class RetryJobPayload(Payload):
    job: Job | None = field(default=None, description="Job after the request; null if refused.")
