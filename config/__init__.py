"""Settings, logging, the addresses of database and broker, embedded PostgreSQL; imports none of our packages."""
