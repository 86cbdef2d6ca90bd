"""Resolvers of the root fields: convert the input, call one function of the services, convert the result."""
