"""Days of one group by chance: steady, changed for good or for a time, with bursts and with holes (§8)."""

from __future__ import annotations

from random import Random

from balance_oracle.days import MeteringDays
from balance_oracle.onset import WatchedDay, WatchedHour


def make_watched_days(random: Random) -> list[WatchedDay]:
    """Some months of a group across a change of the clocks, some days missing, some not counting."""
    days = MeteringDays("Europe/Chisinau", random.choice((0, 8)))
    first = days.containing(1_774_562_400 - random.randint(20, 90) * 86_400)
    level, noise = random.choice((40, 5_000, 900_000)), random.choice((0.0, 0.01, 0.1))
    standing = random.choice((0.0, 0.03, -0.02))
    changes = sorted(random.randint(10, 150) for _ in range(random.choice((0, 1, 2, 4))))
    sizes = [random.choice((0.1, 0.4, -0.2)) for _ in changes]
    lasting = [random.choice((6, 30, 400)) for _ in changes]
    holes = random.choice((0.0, 0.02, 0.2))
    found = []
    for number in range(random.randint(30, 170)):
        if random.random() < holes:
            continue
        extra = sum(
            size
            for since, size, length in zip(changes, sizes, lasting, strict=True)
            if since <= number < since + length
        )
        start = days.shifted(first, number)
        hours = []
        burst = range(*sorted(random.choices(range(25), k=2))) if random.random() < 0.05 else range(0)
        supply = imbalance = 0
        for place, at in enumerate(days.hours(start)):
            used = level * random.uniform(0.6, 1.4)
            d = round(used * (standing + extra + random.gauss(0, 1) * noise) + level * 3 * (place in burst))
            supply, imbalance = supply + round(used), imbalance + d
            counts = random.random() >= 0.04
            width = round(level * random.choice((0.01, 0.3))) if counts else None
            hours.append(WatchedHour(at, days.local(at).hour, d if counts else None, width))
        counts = random.random() >= 0.05 and supply > 0
        found.append(
            WatchedDay(
                days.local(start).date().toordinal(),
                start,
                imbalance if counts else None,
                supply if counts else None,
                random.choice((0.0, 0.0, 0.0, 0.05 * supply)),
                tuple(hours),
                random.choice((0.0, 0.001, 0.02)) * supply,
            )
        )
    return found
