"""Changes of the register: what differs between two values of an entity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from balance_gateway.domain.kinds import Entity, Value
from balance_gateway.domain.problems import Path, Problem, shown
from balance_gateway.domain.reading import instant_text

_INSTANTS = ("fitted_at", "removed_at", "valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the register, by which way, and why. The way is a word: import, form, api, restore.

    With a subtree of the object tree nothing may be changed that lies elsewhere, before or after.
    """

    name: str
    way: str
    reason: str | None = None
    subtree: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """An entity as it stands on the register; the version rises with each change of it."""

    version: int
    value: Value


@dataclass(frozen=True, slots=True)
class Change:
    """An entity that is to stand otherwise, or for the first time; `restored` is the change brought back."""

    entity: Entity
    before: Standing | None
    restored: int | None = None

    @property
    def version(self) -> int:
        """Of the entity, once it is changed."""
        return self.before.version + 1 if self.before else 1


class Difference(NamedTuple):
    """A field that differs; before or after None where there was no such field, or nothing in it."""

    path: Path
    before: Any
    after: Any

    def __str__(self) -> str:
        """`meters[1].meter_number: 4711 → 4712`."""
        at = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in self.path).lstrip(".")
        return f"{at}: {self._said(self.before)} → {self._said(self.after)}"

    def _said(self, value: Any) -> str:
        if value is not None and self.path and self.path[-1] in _INSTANTS:
            return instant_text(value)
        return shown(value)


def outside(change: Change, subtree: Sequence[str]) -> Iterator[Problem]:
    """What keeps somebody with that subtree from making a change; nothing does without one."""
    before = change.before.value if change.before else change.entity.value
    for value in (before, change.entity.value) if subtree else ():
        path = value.get("object_path")
        if path is None:
            words = "expected somebody whose subtree is the whole tree, for it has no place in the tree"
            yield Problem(change.entity.subject, (), words)
            return
        if list(path[: len(subtree)]) != list(subtree):
            words = f"expected a path beneath {' > '.join(subtree)}, found another"
            yield Problem(change.entity.subject, ("object_path",), words)
            return


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:
    """Fields in which two values differ, each once; lists are compared place by place."""
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        old, new = before or {}, after or {}
        for name in dict.fromkeys((*old, *new)):
            yield from differences(old.get(name), new.get(name), (*path, name))
    elif isinstance(before, list) or isinstance(after, list):
        old, new = before or [], after or []
        for position in range(max(len(old), len(new))):
            each = [one[position] if position < len(one) else None for one in (old, new)]
            yield from differences(each[0], each[1], (*path, position))
    elif before != after:
        yield Difference(path, before, after)
