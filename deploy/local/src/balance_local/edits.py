"""Operators' decisions about readings, from a file to their topic (docs/domain.md §3.12).

The shape is that of the Avro record, with times as `2026-03-10T00:00:00+02:00` and without `version`:

    edits:
      - edit_id: E-1
        action: EDIT
        usage_point_id: UP-1
        start_at: 2026-03-10T00:00:00+02:00
        end_at: 2026-03-10T02:00:00+02:00
        values: [120, 80]
        reason: METER_CHECKED
        decided_by: operator-7
        decided_at: 2026-03-12T09:30:00+02:00

A decision that is in the file stands unless `state: WITHDRAWN` says otherwise; one that is not stays as it
is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import yaml
from balance_kernel.calendar import HOUR_S, Calendar
from balance_schemas import catalogue

from balance_local.assets import Published, publish_changed
from balance_local.described import Described, Entity, read_all
from balance_local.installation import Installation

READING_EDIT = "balance.v1.ReadingEditDecided"
_HOUR_MS = HOUR_S * 1000
_MOST_HOURS = 366 * 24
_TABLE = "decided"


class EditsError(ValueError):
    """Decisions are wrong. `problems` holds a sentence for each thing that is."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep all problems and show all of them."""
        super().__init__("the decisions are wrong:\n" + "\n".join(f"- {problem}" for problem in problems))
        self.problems = tuple(problems)


def apply(installation: Installation, path: Path) -> Published:
    """Publish the decisions of a file that changed, each in its next version. Raises EditsError with
    everything that is wrong, and InstallationError when the topics were not applied.
    """
    edits = decisions(read_file(path), installation.settings().calendar)
    return publish_changed(installation, catalogue.READING_EDITS, _TABLE, lambda _: edits)


def read_file(path: Path) -> Sequence[Described]:
    """The decisions of a YAML file as they are written. Raises EditsError."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        raise EditsError([f"{path}: expected a file of YAML, found: {found}"]) from error
    written = document.get("edits") if isinstance(document, dict) and set(document) == {"edits"} else None
    if not isinstance(written, list):
        raise EditsError([f"{path}: expected one list, edits"])
    return written


def decisions(written: Sequence[Described], calendar: Calendar) -> Sequence[Entity]:
    """Records of decisions, keyed by their id. Raises EditsError."""
    problems: list[str] = []
    standing = [{"state": "STANDING", **one} if isinstance(one, dict) else one for one in written]
    edits = list(read_all(READING_EDIT, "edit_id", "edit", standing, problems))
    if not problems:  # what follows relies on the shape
        for entity in edits:
            problems.extend(f"{entity.key}: {problem}" for problem in _problems(entity.value, calendar))
    if problems:
        raise EditsError(problems)
    return [replace(entity, key=entity.value["edit_id"]) for entity in edits]


def _problems(edit: Described, calendar: Calendar) -> Iterator[str]:
    start, end = edit["start_at"], edit["end_at"]
    try:
        day = calendar.day_start(datetime.fromtimestamp(start / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        yield f"start_at: expected an instant of this age, found {start} ms after 1970"
        return
    hours, rest = divmod(end - start, _HOUR_MS)
    if rest or (start - round(day.timestamp() * 1000)) % _HOUR_MS or not 0 < hours <= _MOST_HOURS:
        yield f"expected whole hours, from 1 to {_MOST_HOURS} of them, from start_at to end_at"
        return
    wanted = hours if edit["action"] == "EDIT" else 0
    if len(edit["values"]) != wanted:
        yield f"expected {wanted} values for this {edit['action']}, found {len(edit['values'])}"
