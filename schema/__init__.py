"""Types, inputs and payloads of the GraphQL API, by subject; `schema.engine` executes it."""
