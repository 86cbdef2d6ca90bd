"""Jobs."""

from datetime import datetime

import strawberry
from strawberry import ID, field

from domain.lifecycles import JobStatus
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.payloads import Payload
from services.views.lists import JOBS


@strawberry.type(description="A side effect owed.")
class Job(FromRow, listing=JOBS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    kind: str = field(description="What is to be done.")
    status: JobStatus = field(description="Its state.")
    attempts: int = field(description="How often it was tried.")
    challenge_id: ID | None = field(description="The challenge it is for.")
    account_id: ID | None = field(description="The account it is for.")
    waits_for_batch: Long | None = field(description="It is not done before this batch of quotes.")
    due_at: datetime = field(description="It is not done before.")
    outcome: str | None = field(description="What came of it, or why the last attempt failed.")
    created_at: datetime = field(description="When it was written.")
    done_at: datetime | None = field(description="When it was done.")


@strawberry.input(description="Which jobs.")
class JobFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[JobStatus] | None = field(default=None, description="In one of these states.")
    kind: str | None = field(default=None, description="Of this kind.")
    challenge_id: ID | None = field(default=None, description="For this challenge.")
    account_id: ID | None = field(default=None, description="For this account.")


@strawberry.input(description="The job to retry.")
class RetryJobInput:
    id: ID = field(description="The job, which is DEAD.")


@strawberry.type(description="The job that is owed again.")
class RetryJobPayload(Payload):
    job: Job | None = field(default=None, description="The job as it is now; null if it was not queued again.")
