"""What the edge decides about a packet: its place after all packets before it, and its lane.

A device counts its packets in 32 bits and begins anew when it loses its memory. The sequence of the contract
never falls: its high half is the epoch, how often the counter began anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from balance_ingest.domain.packets import Packet

MAX_COUNTER = (1 << 32) - 1
LATE = 1024
"""A counter at most this far below the greatest is a late packet; one that is lower has begun anew."""
BACKLOG_AFTER_S = 48 * 3600


@dataclass(frozen=True, slots=True)
class Counter:
    """How far the counter of a concentrator has come; `before` is how far it came in the epoch before.

    -1 stands for nothing yet.
    """

    epoch: int = 0
    highest: int = -1
    before: int = -1

    def follow(self, number: int, held: Collection[int]) -> tuple[Counter, int]:
        """The counter after a packet never seen before, and the epoch of that packet.

        `held` are the epochs in which another packet has this number: two packets with one number, and the
        counter has begun anew. A number far above the greatest and close to where the epoch before ended is a
        packet that the device kept from before.
        """
        if number > self.highest + LATE and self._is_from_before(number, held):
            return self, self.epoch - 1
        if number > self.highest:
            return replace(self, highest=number), self.epoch
        if number >= self.highest - LATE and self.epoch not in held:
            return self, self.epoch
        return Counter(self.epoch + 1, number, self.highest), self.epoch + 1

    def _is_from_before(self, number: int, held: Collection[int]) -> bool:
        return self.before - LATE <= number <= self.before and self.epoch - 1 not in held


def sequence_of(epoch: int, number: int) -> int:
    """The sequence of the contract: the epoch in the high half, the device's number in the low one."""
    return epoch << 32 | number


def is_backlog(packet: Packet) -> bool:
    """Whether the newest interval of a packet ended more than 48 h before its receipt.

    A packet without intervals tells of the present, and is not.
    """
    ends = [archive.end for archive in packet.archives if archive.values]
    ends += [run.start + run.step * len(run.averages) for run in packet.measurements if run.averages]
    ends += [run.start + max(run.offsets) for run in packet.registers if run.offsets]
    return bool(ends) and max(ends) < packet.received - BACKLOG_AFTER_S
