"""The engine of the API: it checks, executes and answers documents. The packages next to it hold the types."""
