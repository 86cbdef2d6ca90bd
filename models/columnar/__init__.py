"""Statements of the columnar marker: whole shards read and written in columns."""
