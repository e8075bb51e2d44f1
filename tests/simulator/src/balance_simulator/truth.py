"""What really happened in a composed street: what the tables must show within their tolerance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class GroupTruth:
    """Gas that really flowed in the whole span, in mL, and what must be said of the group in the end.

    `supplied` passed the common meter, `consumed` reached the flats, `lost` left before the meters,
    `unregistered` was consumed and not counted by a slow meter. `since` is the first day of a loss (ISO),
    None without one.
    """

    supplied: int
    consumed: int
    lost: int
    unregistered: int
    verdict: str
    since: str | None = None

    @property
    def imbalance(self) -> int:
        """What a perfect set of meters would show as imbalance, in mL."""
        return self.lost + self.unregistered


@dataclass(frozen=True)
class Truth:
    """The truth of a street.

    `unreliable_before` names the groups too few members of which are heard before the backlog arrives,
    `quarantined` the days (ISO) by usage point whose values must not count, `findings` (rule, usage point)
    what must be raised, and nothing else by those rules.
    """

    seed: int
    first_day: str
    last_day: str
    backlog_at: str
    groups: Mapping[str, GroupTruth]
    unreliable_before: Sequence[str]
    quarantined: Mapping[str, Sequence[str]]
    findings: Sequence[tuple[str, str]]


def save(truth: Truth, path: Path) -> None:
    """Write the truth as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(truth), indent=1) + "\n", "utf-8")


def read(path: Path) -> Truth:
    """A truth written by `save`."""
    data = json.loads(path.read_text("utf-8"))
    data["groups"] = {name: GroupTruth(**group) for name, group in data["groups"].items()}
    data["findings"] = [(rule, usage_point) for rule, usage_point in data["findings"]]
    return Truth(**data)
