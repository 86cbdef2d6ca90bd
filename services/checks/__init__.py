"""`propdesk verify`: whether the books hold."""
