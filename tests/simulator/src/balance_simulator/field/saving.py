"""A field written to a folder instead of being sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from balance_simulator.field import truth_folder
from balance_simulator.field.stream import Field, FieldDay


def save(
    field: Field, folder: Path, truth: Path | None = None, told: Callable[[FieldDay, int], None] | None = None
) -> int:
    """Write `packets.jsonl` (a packet a line, with its lane), `fleet.json` and the truth; how many packets.

    `told` hears of each day when it is written, with the packets so far. A day is in memory at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / "packets.jsonl").open("w", encoding="utf-8") as file:
        for day in field.days():
            for packet in day.packets:
                file.write(json.dumps(packet, separators=(",", ":")) + "\n")
                count += 1
            if truth is not None:
                truth_folder.write_day(truth, day.truth)
            if told:
                told(day, count)
    (folder / "fleet.json").write_text(json.dumps(field.register.everything()) + "\n", "utf-8")
    if truth is not None:
        truth_folder.write(truth, field)
    return count
