"""The `propdesk` command line. It is the third entry point, next to the API and the workers."""
