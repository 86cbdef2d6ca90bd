"""Root fields for jobs."""

import strawberry

from resolvers.read_back import read_back
from schema.arguments import Filter, Input, required
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.jobs import Job, JobFilter, RetryJobInput, RetryJobPayload
from services.jobs import work_queue
from services.principals import Role
from services.views.lists import JOBS


@strawberry.type
class JobQuery:
    @query("Jobs, newest first within each brand.", Role.ADMIN, Role.MANAGER)
    async def jobs(
        self, info: Info, first: First = 20, after: After = None, where: Filter[JobFilter] = None
    ) -> Connection[Job]:
        return await read_page(info, JOBS, page_request(JOBS, first, after), filters_of(where))


@strawberry.type
class JobMutation:
    @mutation("Queue a DEAD job again.", Role.ADMIN, Role.MANAGER)
    async def retry_job(self, info: Info, data: Input[RetryJobInput]) -> RetryJobPayload:
        job_id = required(data.id, "id")
        await work_queue.retry(info.context.principal, job_id)
        return RetryJobPayload(job=await read_back(info, JOBS, job_id))
