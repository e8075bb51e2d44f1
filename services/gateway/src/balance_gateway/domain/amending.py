"""What differs between two values of an entity as people speak of it: a meter more, a field otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from balance_gateway.domain.changes import differences
from balance_gateway.domain.kinds import Value


class How(StrEnum):
    """What became of a field, or of a thing in a list."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


class Amendment(NamedTuple):
    """A field that differs; or a thing that came into a list or left it, then without a field.

    `things` names the list, `position` counts from 1; both None for a field of the entity itself.
    """

    how: How
    things: str | None
    position: int | None
    field: str | None
    before: Any
    after: Any


def amendments(before: Value | None, after: Value) -> Iterator[Amendment]:
    """All of them, each once; a list of texts, as a path is, is one field. None of an entity that is new."""
    if before is None:
        return
    for field in dict.fromkeys((*before, *after)):
        old, new = before.get(field), after.get(field)
        if _has_things(old) or _has_things(new):
            yield from _of_list(field, old or [], new or [])
        elif (old or None) != (new or None):
            yield Amendment(How.CHANGED, None, None, field, old, new)


def _has_things(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(v, Mapping) for v in value)
    )


def _of_list(things: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Amendment]:
    for position in range(max(len(old), len(new))):
        if position >= len(old):
            yield Amendment(How.ADDED, things, position + 1, None, None, new[position])
        elif position >= len(new):
            yield Amendment(How.REMOVED, things, position + 1, None, old[position], None)
        else:
            for found in differences(old[position], new[position]):
                field = str(found.path[0]) if found.path else None
                yield Amendment(How.CHANGED, things, position + 1, field, found.before, found.after)
