"""Statements of the columnar marker, which reads and writes whole shards as columns."""
