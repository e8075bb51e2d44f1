"""Onsets and hourly alarms equal those of the batch oracle, which is written from docs/domain.md §8 alone."""

from __future__ import annotations

import os
from random import Random

import numpy as np
from balance_imbalance.domain import baseline, onset
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_oracle.onset import Watch, WatchedDay
from balance_oracle.watched_series import make_watched_days
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("BALANCE_ORACLE_EXAMPLES", "25"))

# A seed says all; smaller seeds make no smaller series, so there is nothing to shrink.
often = settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@often
@given(st.integers(0, 2**32))
def test_what_follows_from_the_days_of_a_group(seed: int) -> None:
    days = make_watched_days(Random(seed))
    wanted = Watch(days)
    found = onset.follow(onset.State(), [], [_of(day) for day in days], OnsetRules())
    assert {
        one.alarmed: (one.since, one.side.name, one.ended, one.size_per_day, one.size_per_hour)
        for one in found.onsets.values()
    } == {
        one.alarmed: (one.since, one.side, one.ended, one.size_a_day, one.size_an_hour)
        for one in wanted.onsets
    }
    assert {
        one.start_s: (one.ended_s, len(one.excesses), one.excess_per_hour) for one in found.alarms.values()
    } == {one.start: (one.ended, len(one.excesses), one.excess) for one in wanted.alarms}


def _of(day: WatchedDay) -> baseline.WatchedDay:
    return baseline.WatchedDay(
        day.number,
        day.start,
        day.supply,
        day.imbalance,
        day.u_estimate,
        np.array([np.nan if one.imbalance is None else one.imbalance for one in day.hours], np.float64),
        np.array([one.tolerance or 0 for one in day.hours], np.float64),
        np.array([one.clock_hour for one in day.hours], np.int64),
        day.u_reading,
    )
