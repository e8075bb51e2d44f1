"""The demo ends well when, and only when, its tables show the truth."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import psycopg
import pytest
from balance_local import demo, demo_check, group_spans, installation, paths
from balance_local.demo_check import Check
from balance_local.installation import Installation
from balance_local.screen import Screen
from balance_oracle import Tables
from balance_simulator import profiles, street
from balance_simulator.street import Street
from balance_simulator.truth import Truth
from rich.console import Console

pytestmark = pytest.mark.stack

NAME = "demo_test"


@dataclass(frozen=True)
class Done:
    """The demo after it was played, and what it must show."""

    right: bool
    place: Installation
    made: Street
    tables: Tables

    def against_truth(self, truth: Truth) -> list[Check]:
        start = street.DAYS.start(street.FIRST_DAY)
        end = street.DAYS.start(street.FIRST_DAY + timedelta(days=street.SPAN_DAYS))
        after = group_spans.read(self.place.dsn, street.DAYS.zone, start, end)
        return demo_check.against_truth(self.place, truth, [], after)

    def failing(self, truth: Truth) -> list[str]:
        """What is wrong, but for the state before the backlog, which is gone."""
        return [
            c.words for c in self.against_truth(truth) if not c.holds and not c.words.startswith("before")
        ]


@pytest.fixture(scope="module")
def done() -> Iterator[Done]:
    right = demo.run(Screen(Console(width=150, no_color=True), rich=False), name=NAME)
    place = installation.opened(NAME)
    made = street.compose(profiles.read_home())
    packets = [*made.before.packets, *made.after.packets]
    tables = demo_check.oracle(packets, made.before.usage_points, made.before.groups, street.DAYS.zone)
    yield Done(right, place, made, tables)
    place.drop()
    shutil.rmtree(paths.local_root() / NAME)


def test_the_tables_show_the_truth(done: Done) -> None:
    assert done.right
    assert not done.failing(done.made.truth)


def test_another_truth_is_not_what_the_tables_show(done: Done) -> None:
    truth = done.made.truth
    leak = truth.groups["DEMO_1"]
    lies = {
        "DEMO_1: a loss": replace(
            truth, groups={**truth.groups, "DEMO_1": replace(leak, lost=2 * leak.lost)}
        ),
        "truly a loss since 2025-11-08": replace(
            truth, groups={**truth.groups, "DEMO_1": replace(leak, since="2025-11-08")}
        ),
        "groups, 18 of 18": replace(truth, groups={**truth.groups, "DEMO_7": leak}),
        "quarantined": replace(truth, quarantined={}),
        "findings": replace(truth, findings=[*truth.findings, ("vee.two_devices", "DEMO_1/01")]),
    }
    for words, lie in lies.items():
        (found,) = done.failing(lie)
        assert words in found


def test_one_millilitre_in_one_hour_is_noticed(done: Done) -> None:
    assert all(check.holds for check in demo_check.against_oracle(done.place, done.tables))
    with psycopg.connect(done.place.dsn) as connection:
        changed = connection.execute(
            "update imbalance.group_days set hour_supply[7] = hour_supply[7] + 1 where day_start = %s",
            [street.DAYS.start(street.FIRST_DAY)],
        )
        assert changed.rowcount == len(street.FLATS)
    views, topics = demo_check.against_oracle(done.place, done.tables)
    assert not views.holds
    assert topics.holds
