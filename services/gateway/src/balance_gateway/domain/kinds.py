"""What stands on the register: the kinds of entities, each one aggregate with its whole history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = Mapping[str, Any]
"""An entity as its record on the topic, without its version; instants in ms since 1970."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entities: its word in keys, the list of a file it stands in, its record, the field of its id.

    An entity is in the state `usual` unless it says otherwise.
    """

    word: str
    plural: str
    record: str
    id_field: str
    usual: str = "ACTIVE"


USAGE_POINT = Kind("usage-point", "usage_points", "balance.v1.UsagePointDescribed", "usage_point_id")
MODULE = Kind("module", "modules", "balance.v1.ModuleDescribed", "module_id")
CONCENTRATOR = Kind("concentrator", "concentrators", "balance.v1.ConcentratorDescribed", "concentrator_id")
BALANCE_GROUP = Kind("balance-group", "balance_groups", "balance.v1.BalanceGroupDescribed", "group_id")
READING_EDIT = Kind("reading-edit", "edits", "balance.v1.ReadingEditDecided", "edit_id", "STANDING")
"""An operator's decision about readings (docs/domain.md §3.12)."""
KINDS = (USAGE_POINT, MODULE, CONCENTRATOR, BALANCE_GROUP, READING_EDIT)
BY_WORD: Mapping[str, Kind] = {kind.word: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as it is to stand on the register."""

    kind: Kind
    name: str
    value: Value

    @property
    def key(self) -> tuple[str, str]:
        """Word of its kind, and its id."""
        return self.kind.word, self.name

    @property
    def subject(self) -> str:
        """Its key as one text, e.g. usage-point/UP-1."""
        return f"{self.kind.word}/{self.name}"


def links(entity: Entity) -> set[tuple[str, str]]:
    """Keys of the entities that it names."""
    value = entity.value
    if entity.kind is USAGE_POINT:
        return {(MODULE.word, channel["module_id"]) for channel in value["channels"]}
    if entity.kind is MODULE:
        named = {setting["concentrator_id"] for setting in value["settings"]}
        return {(CONCENTRATOR.word, name) for name in named if name is not None}
    if entity.kind is BALANCE_GROUP:
        return {
            (BALANCE_GROUP.word, member["group_id"])
            if member["group_id"]
            else (USAGE_POINT.word, member["usage_point_id"])
            for member in value["members"]
        }
    if entity.kind is READING_EDIT:
        return {(USAGE_POINT.word, value["usage_point_id"])}
    return set()
