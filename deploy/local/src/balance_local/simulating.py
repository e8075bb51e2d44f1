"""`balance simulate`: a simulated field, day by day, into an installation or a folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aiokafka import AIOKafkaProducer
from balance_chassis.kafka import make_producer, topic_name
from balance_schemas.codec import Codec, load_ids
from balance_simulator import packets as packing
from balance_simulator.delivery import Packet
from balance_simulator.field import truth_folder
from balance_simulator.field.saving import save
from balance_simulator.field.stream import Field, FieldDay
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from balance_local import assets, draining, group_spans, group_table, installation, playing, replay
from balance_local.installation import Installation
from balance_local.screen import Screen

MOST_GROUPS_SHOWN = 24
SOON_S = 0.05
"""Packets that are due so soon go together."""


@dataclass(frozen=True)
class Options:
    """Where to and how fast: `speed` is seconds of the field a second, 0 as fast as the broker takes them.

    A `live` field of speed 1 runs by the wall clock in an installation of that clock.
    """

    name: str
    truth: Path
    keep: bool = False
    wait: bool = True
    speed: float = 0.0
    live: bool = False

    @property
    def by_wall(self) -> bool:
        """Whether the field's time is ours."""
        return self.live and self.speed == 1


def introduce(on: Screen, field: Field) -> None:
    """Say what is simulated."""
    plan, layout = field.plan, field.layout
    on.say(f"a field of {len(layout.modules.ids):,} modules, seed {plan.seed}", "bold")
    on.say(
        f"{len(layout.meters.ids):,} meters, {len(layout.groups.ids):,} balance groups, "
        f"{len(layout.concentrators.ids):,} concentrators; {plan.days} days from {plan.first_day}"
    )
    on.say(f"{len(field.faults.every):,} faults of {len({f.kind for f in field.faults.every})} kinds")
    for note in field.faults.notes:
        on.say(note, "dim")


def write(field: Field, folder: Path, truth: Path, on: Screen) -> int:
    """Write packets, fleet and truth to folders; how many packets."""
    with _Bar(on, field) as bar:
        return save(field, folder, truth, lambda day, packets: bar.advance(day, packets))


def run(field: Field, on: Screen, options: Options) -> None:
    """Play a field into an installation, and show its balance unless it is not to be waited for.

    Raises InstallationError, StuckError, OSError.
    """
    introduce(on, field)
    place = _prepare(field, on, options)
    register = field.register.everything()
    with on.console.status("register") if on.rich else nullcontext():
        published = assets.publish(
            place,
            register["usage_points"],
            register["balance_groups"],
            register["modules"],
            register["concentrators"],
        )
        draining.wait_for_register(place)
    on.say(f"register: {len(published.sent):,} entities published, {published.unchanged:,} unchanged", "dim")
    if options.live:
        on.say("live: packets go when they fall due, most in the night after their day; stop with Ctrl-C")
    started = time.monotonic()
    with _Bar(on, field) as bar:
        try:
            asyncio.run(_play(place, field, options, bar))
        finally:
            truth_folder.write(options.truth, field)
    took = time.monotonic() - started
    on.say(f"{bar.packets:,} packets, {bar.values:,} hourly values sent in {took:.1f} s", "dim")
    on.say(f"truth     {options.truth}")
    if not options.wait or options.by_wall:
        on.say(f"not waited for; how far it is: {replay.COMMAND} -i {place.name} status")
        return
    replay.drain(place, on)
    _show(field, place, on)
    replay.where(on, place)
    replay.rest(on, place)


def _prepare(field: Field, on: Screen, options: Options) -> Installation:
    if not options.by_wall:
        return replay.prepare(options.name, field.plan.calendar, on, keep=options.keep)
    place = installation.create(
        options.name, field.plan.zone, field.plan.day_start_hour, "wall", lambda words: on.say(words, "dim")
    )
    place.topics_apply()
    place.migrate()
    place.services_up()
    return place


class _Bar:
    """Progress by days."""

    def __init__(self, on: Screen, field: Field) -> None:
        self.packets = self.values = 0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=on.console, transient=True)
        self._shown = self._progress if on.rich else None
        self._task = self._progress.add_task("days", total=field.plan.days)

    def __enter__(self) -> _Bar:
        if self._shown:
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._shown.stop()

    def advance(self, day: FieldDay, packets: int) -> None:
        """A day is done; so many packets in all."""
        self.packets = packets
        self.values += day.values
        self._progress.update(self._task, advance=1, description=f"{day.truth.day}, {packets:,} packets")


async def _play(place: Installation, field: Field, options: Options, bar: _Bar) -> None:
    sender = _Sender(place, options)
    await sender.producer.start()
    try:
        for day in field.days():
            if day.changed:
                await asyncio.to_thread(assets.publish, place, day.changed, [])
            await sender.send(day.packets)
            truth_folder.write_day(options.truth, day.truth)
            bar.advance(day, sender.sent)
    finally:
        await sender.producer.stop()


class _Sender:
    """Sends packets in their order, at their time or at once."""

    def __init__(self, place: Installation, options: Options) -> None:
        self._kafka = place.settings().kafka
        self._codec = Codec(load_ids(place.folder / "schema-ids.json"), raw_timestamps=True)
        self._speed, self._by_wall = options.speed, options.by_wall
        self._began: tuple[float, int] | None = None
        self.producer: AIOKafkaProducer = make_producer(self._kafka)
        self.sent = 0

    async def send(self, packets: Iterator[Packet]) -> None:
        """Send all and return when they are acknowledged."""
        if not self._speed:
            while part := list(islice(packets, playing.AT_ONCE)):
                await self._send(part)
            return
        part = []
        for packet in packets:
            wait_s = self._due(packet) - time.time()
            if part and (wait_s > SOON_S or len(part) == playing.AT_ONCE):
                await self._send(part)
                part = []
                wait_s = self._due(packet) - time.time()
            if wait_s > SOON_S:
                await asyncio.sleep(wait_s)
            part.append(packet)
        await self._send(part)

    def _due(self, packet: Packet) -> float:
        """Epoch second of our clock at which a packet is to be sent; the past is sent at once."""
        received_ms: int = packet["received_at"]
        if self._by_wall:
            return received_ms / 1000
        if self._began is None:
            self._began = time.time(), received_ms
        return self._began[0] + (received_ms - self._began[1]) / 1000 / self._speed

    async def _send(self, part: list[Packet]) -> None:
        acknowledged = [
            await self.producer.send(
                topic_name(self._kafka, playing.TOPICS[packet["lane"]]),
                self._codec.encode(packing.RECORD, packing.record(packet)),
                packet["concentrator_id"].encode(),
            )
            for packet in part
        ]
        await asyncio.gather(*acknowledged)
        self.sent += len(part)


def _show(field: Field, place: Installation, on: Screen) -> None:
    plan, layout = field.plan, field.layout
    first, last = plan.calendar.start(plan.first_day), plan.calendar.start(plan.day(plan.days))
    spans = group_spans.read(place.dsn, plan.zone, first, last)
    meters = layout.meters
    gatherers = [layout.concentrators.ids[layout.modules.concentrator[m]] for m in meters.module.tolist()]
    known = group_table.Known(
        dict(zip(meters.ids, gatherers, strict=True)),
        group_table.reasons(place.dsn),
        {name for name, common in zip(meters.ids, meters.common.tolist(), strict=True) if common},
    )
    if len(spans) > MOST_GROUPS_SHOWN:
        on.say(f"the first {MOST_GROUPS_SHOWN} of {len(spans):,} groups", "dim")
    replay.show(on, "simulated field", spans[:MOST_GROUPS_SHOWN], known)
