"""PostgreSQL and the wire."""
