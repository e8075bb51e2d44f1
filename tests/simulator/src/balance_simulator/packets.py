"""Sendings to ConcentratorPacketReceived records: sessions cut by metering day and at about 256 KiB.

A packet is a dict in the shape of the record, instants in integer milliseconds, with one key more: `lane`,
`live` or `backlog`, which says by which topic it goes and is no part of the record.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np

from balance_simulator.delivery import Packet, Sending
from balance_simulator.reports import ARCHIVE, Report

RECORD = "balance.v1.ConcentratorPacketReceived"
MAX_BYTES = 256 * 1024
BACKLOG_S = 48 * 3600
PAUSE_MS = 700
"""Between two packets of a session."""
LIVE, BACKLOG = "live", "backlog"


def pack(sendings: Iterable[Sending]) -> list[Packet]:
    """Packets in order of receipt. Each concentrator numbers its own in the order it sends them.

    Within a session the newest day goes first, so that a backlog does not hold up today.
    """
    sessions: dict[tuple[int, str, date], list[Report]] = defaultdict(list)
    for sending in sendings:
        sessions[sending.sent_s, sending.report.concentrator, sending.report.day].append(sending.report)
    sequence: dict[str, int] = defaultdict(int)
    position: dict[tuple[int, str], int] = defaultdict(int)
    packets = []
    for sent_s, concentrator, day in sorted(sessions, key=lambda s: (s[0], s[1], -s[2].toordinal())):
        for part in _parts(sessions[sent_s, concentrator, day]):
            sequence[concentrator] += 1
            sent_ms = sent_s * 1000 + position[sent_s, concentrator] * PAUSE_MS
            position[sent_s, concentrator] += 1
            packets.append(_packet(concentrator, sequence[concentrator], sent_ms, part))
    return sorted(packets, key=lambda p: (p["received_at"], p["packet_id"]))


def record(packet: Packet) -> dict[str, Any]:
    """The packet without its lane: what is written to the topic."""
    return {key: value for key, value in packet.items() if key != "lane"}


def _parts(reports: Sequence[Report]) -> Iterator[list[Report]]:
    part: list[Report] = []
    size = 0
    for report in sorted(reports, key=lambda r: (r.end_s, r.body["module_id"], r.body["channel"])):
        own = _bytes(report)
        if part and size + own > MAX_BYTES:
            yield part
            part, size = [], 0
        part.append(report)
        size += own
    yield part


def _bytes(report: Report) -> int:
    """About how long a report is on the wire: its zigzag varints and 40 bytes besides."""
    numbers = np.array([*report.body["values"], *report.body.get("offsets_s", ())], np.int64)
    bits = np.ceil(np.log2(np.abs(numbers).astype(np.float64) * 2 + 2))
    return 40 + len(report.body["module_id"]) + int(np.ceil(bits / 7).sum())


def _packet(concentrator: str, sequence: int, sent_ms: int, part: Sequence[Report]) -> Packet:
    received_ms = sent_ms + 400 + zlib.crc32(concentrator.encode()) % 3_000
    newest_s = max(report.end_s for report in part)
    return {
        "packet_id": f"{concentrator}-{sequence}",
        "concentrator_id": concentrator,
        "sequence": sequence,
        "sent_at": sent_ms,
        "received_at": received_ms,
        "archives": [report.body for report in part if report.part == ARCHIVE],
        "registers": [report.body for report in part if report.part != ARCHIVE],
        "measurements": [],
        "module_events": [],
        "module_states": [],
        "session": None,
        "lane": BACKLOG if received_ms // 1000 - newest_s > BACKLOG_S else LIVE,
    }
