"""Pure value types used by two services or more (stdlib only)."""
