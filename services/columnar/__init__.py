"""The columnar marker: every batch of quotes against every live account of a shard."""
