"""Jobs."""

from typing import Any

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from domain.lifecycles import JobStatus
from models.tables.fields import CLOCK, NOW, Choice, Identity, Text, reference
from models.tables.keys import TableIndex


class Job(Model):
    """A side effect to be executed after a commit, written with its cause."""

    id = Identity()
    brand = reference("Brand", column="brand")
    kind = Text()
    challenge = reference(
        "Challenge", null=True, db_constraint=False, description="May be deleted with its program; the job is kept"
    )
    account = reference("Account", null=True)
    facts: fields.Field[dict[str, Any]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Arguments of the job"
    )
    status = Choice(JobStatus, db_default=JobStatus.QUEUED)
    attempts = fields.SmallIntField(db_default=0)
    waits_for_batch = fields.BigIntField(null=True, description="Batch that the job waits for")
    due_at = fields.DatetimeField(db_default=NOW)
    outcome = Text(null=True, description="Result, or the last error")
    created_at = fields.DatetimeField(db_default=CLOCK)
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "jobs"
        indexes = (
            TableIndex("created_at", "id", name="jobs_queued", where="status = 'QUEUED'"),
            TableIndex("id", name="jobs_dead", where="status = 'DEAD'"),
            TableIndex("challenge_id", name="jobs_challenge"),
            TableIndex("account_id", name="jobs_account"),
            TableIndex("brand", "id", name="jobs_brand"),
            TableIndex("brand", "status", "id", name="jobs_status"),
            TableIndex("brand", "kind", "id", name="jobs_kind"),
        )
