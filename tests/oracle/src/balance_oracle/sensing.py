"""Sensors of data loggers for random worlds, and what they measure."""

from __future__ import annotations

from random import Random

from balance_oracle.describe import Described, fitting, measurements, meter, packet, usage_point
from balance_oracle.fleets import HOUR_MS, Channel, Place, history_of, instant_of

KINDS = ("01", "03", "05H", "09", "no-such-kind", None)


def make_sensors(random: Random, place: Place, house: str) -> tuple[list[Described], list[Channel]]:
    """Up to three usage points of one data logger, in some versions, and the channels that read them."""
    before = place.start_ms - 24 * HOUR_MS
    points: list[Described] = []
    channels = []
    for number in range(1, random.randint(1, 3) + 1):
        start = instant_of(random, place) if random.random() < 0.15 else before
        point = usage_point(
            f"L-{number}{house}",
            [meter(before, pulse_weight=1, class_ppm=0)],
            [fitting(f"R-L{house}", number, start)],
            resource=random.choice(("SENSOR", "SENSOR", "TEMPERATURE")),
            sensor_kind=random.choice(KINDS),
        )
        points += history_of(random, point)
        channels.append(Channel(f"R-L{house}", number, 0, 8, 20_000))
    return points, channels


def measurement_packets(
    random: Random, place: Place, channels: tuple[Channel, ...], first: int
) -> list[Described]:
    """Archives of averages, with extremes or without, holes, values out of range, and contradictions."""
    packets: list[Described] = []
    for channel in channels:
        step = random.choice((900, 1800, 3600))
        keeps = random.choice(("both", "both", "least", "none"))
        house = channel.module_id.removeprefix("R-L")
        for index, start in enumerate(place.day_starts):
            end = (*place.day_starts, place.end_ms // 1000)[index + 1]
            if random.random() < 0.2:
                continue
            one = _measured(random, channel, start, end, step, keeps)
            received = end * 1000 + 60_000
            for told in (one, *_again(random, one)):
                packets.append(
                    packet(
                        first + len(packets),
                        received,
                        concentrator_id="J-1" + house,
                        measurements=[told],
                    )
                )
                if random.random() < 0.1:
                    contradicted = told | {"maxima": [value + 1 for value in told["maxima"]]}
                    packets.append(
                        packets[-1]
                        | {"measurements": [contradicted], "packet_id": f"{packets[-1]['packet_id']}-again"}
                    )
    return packets


def _measured(random: Random, channel: Channel, start: int, end: int, step: int, keeps: str) -> Described:
    count = (end - start) // step
    averages = [channel.usual_count + random.randint(-3000, 3000) for _ in range(count)]
    if random.random() < 0.3:
        averages[random.randrange(count)] = random.choice((-300_000, 900_000, 10**8))
    missing = sorted({random.randrange(count) for _ in range(random.choice((0, 0, 1, 5)))})
    least = [value - random.randint(0, 500) for value in averages] if keeps in ("both", "least") else []
    greatest = [value + random.randint(0, 500) for value in averages] if keeps == "both" else []
    return measurements(
        channel.module_id,
        channel.channel,
        start * 1000,
        averages,
        least,
        greatest,
        step_s=step,
        missing=missing,
    )


def _again(random: Random, one: Described) -> list[Described]:
    """Now and then the same measurements again, in another light, or not to be taken."""
    if random.random() < 0.7:
        return []
    return [
        one
        | random.choice(
            (
                {"kind": "CURRENT", "averages": [value + 7 for value in one["averages"]]},
                {"minima": [], "maxima": []},
                {"averages": [value + 1 for value in one["averages"]]},
                {"minima": one["averages"][:-1]},
                {"maxima": [2**31] * len(one["averages"])},
                {"channel": 16},
                {"start_at": one["start_at"] + 40 * 24 * HOUR_MS},
            )
        )
    ]
