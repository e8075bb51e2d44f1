"""Sections of docs/domain.md that can be left out, for a service that does not do them yet."""

SECTIONS = frozenset({"due", "faults", "gaps", "edits", "clocks", "sensors", "unusual", "delivery"})
"""§3.17 with §3.8; §3.10; §3.11; §3.12; §3.13; §3.14; §3.15 and §3.16; §3.18 to §3.20."""

NOT_YET: frozenset[str] = frozenset()
"""What ingest does not do yet: the worlds hold nothing that needs it, and their tables go without it."""
