"""Pure domain of ingest: evidence, rules, readings. No I/O, no clock, no logging."""
