"""The statements of `propdesk verify`: each returns the rows that break one rule."""
