"""The third front door: the `propdesk` command."""
