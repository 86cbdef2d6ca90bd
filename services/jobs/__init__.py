"""The work queue, and the jobs whose handlers have no other home."""
