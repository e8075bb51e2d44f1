"""Imbalance of a balance group, pure: no I/O, no clock (docs/domain.md §4)."""
