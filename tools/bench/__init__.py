"""`propdesk bench`: what is measured, against what, on a PostgreSQL of its own."""
