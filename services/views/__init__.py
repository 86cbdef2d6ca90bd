"""The reads of the API: every list and object, within the principal's visibility."""
