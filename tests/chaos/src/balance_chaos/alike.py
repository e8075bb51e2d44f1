"""Figures that come out of floating statistics against the exact ones of the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATISTICAL = frozenset(
    {
        "members",
        "imbalance",
        "tolerance",
        "members_estimated",
        "unregistered",
        "imbalance_lowest",
        "imbalance_highest",
        "used",
        "expected",
        "lowest",
        "highest",
        "size_a_day",
        "size_an_hour",
        "excess",
    }
)
"""Compared within a base unit and 10⁻⁹ of their size, everything else exactly."""


def is_alike(wanted: Any, found: Any, name: str = "") -> bool:
    """Whether two results, or two figures of that name, agree."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return wanted.keys() == found.keys() and all(
            is_alike(value, found[key], key) or (key == "verdict" and _is_close_call(wanted, found))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(wanted) == len(found) and all(map(is_alike, wanted, found))
    if isinstance(wanted, int) and isinstance(found, int) and name in STATISTICAL:
        return abs(wanted - found) <= 1 + abs(wanted) // 10**9
    return bool(wanted == found)


def _is_close_call(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """A verdict may differ where the imbalance lies on its limit."""
    imbalance, width = wanted["imbalance"], wanted["tolerance"]
    if imbalance is None or "UNDECIDED" in (wanted["verdict"], found["verdict"]):
        return False
    limits = -width, width + wanted.get("unregistered", 0)
    return any(abs(imbalance - limit) <= 3 + abs(limit) // 10**9 for limit in limits)


def unlike(wanted: Any, found: Any) -> str:
    """In words, only the parts that differ."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        parts = [
            f"{k}: {unlike(wanted[k], found.get(k))}"
            for k in wanted
            if not is_alike(wanted[k], found.get(k), k)
        ]
        return "{" + "; ".join(parts) + "}"
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return ", ".join([f"[{i}] {unlike(w, f)}" for i, (w, f) in pairs if not is_alike(w, f)][:3])
    return f"{wanted!r}, found {found!r}"
