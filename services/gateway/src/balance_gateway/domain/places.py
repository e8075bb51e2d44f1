"""Where things lie in the object tree: paths of usage points, and of groups by theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from balance_gateway.domain.boards import Standing, State

Path = tuple[str, ...]


def common(first: Sequence[str], last: Sequence[str]) -> Path:
    """What both paths begin with."""
    return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def group_places(rows: Iterable[Mapping[str, Any]]) -> dict[str, Path]:
    """Of rows of `group_places`: a group lies where all of its usage points do."""
    return {
        row["group_id"]: common(json.loads(row["first_path"] or "[]"), json.loads(row["last_path"] or "[]"))
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Branch:
    """An object with what lies at it and beneath: usage points, groups, and the worst state of these."""

    path: Path
    usage_points: int
    groups: int
    worst: State | None

    @property
    def name(self) -> str:
        """The last of its path."""
        return self.path[-1]


def branches(
    path: Path,
    children: Iterable[Mapping[str, Any]],
    places: Mapping[str, Path],
    standings: Iterable[Standing],
) -> list[Branch]:
    """The objects beneath a path by rows of `objects_beneath`, the worst first, then by name."""
    depth = len(path)
    states: dict[str, list[State]] = {}
    for one in standings:
        place = places.get(one.group_id, ())
        if len(place) > depth and place[:depth] == path:
            states.setdefault(place[depth], []).append(one.state)
    found = []
    for child in children:
        name = child["name"]
        if name is not None:
            beneath = states.get(name, [])
            worst = min(beneath, key=lambda state: state.rank, default=None)
            found.append(Branch((*path, name), child["usage_points"], len(beneath), worst))
    return sorted(found, key=lambda one: (one.worst.rank if one.worst else len(State), natural(one.name)))


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key by which "2" comes before "10"."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
