"""Modules with a relay or valve: what they do with a command, and what they answer.

Pure: the same seed and the same downlinks give the same answers. Instants are epoch seconds. An answer
comes in 3 to 4 minutes when the radio is free, later when it is loaded, and sometimes never or twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

DISCONNECT, CONNECT, DATA_REQUEST = "DISCONNECT", "CONNECT", "DATA_REQUEST"
ACTIONS = (DISCONNECT, CONNECT, DATA_REQUEST)
ON, OFF = 1, 0
DONE = 0
REFUSED_STUCK = 2
"""Result of a relay that did not move."""
ANSWER_S = (180, 240)
LATE_S = (400, 900)
AGAIN_S = 30
REPORT_S = 5
"""Between the relay's state and the result."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Downlink:
    """A command as it reaches the concentrator. After `not_after_s` it must not be carried out."""

    command_id: str
    action: str
    sent_s: int
    not_after_s: int
    sequence: int = 0


@dataclass(frozen=True)
class Uplink:
    """What comes back at an instant: a ModuleEvent, or, without one, the CURRENT data that were asked for."""

    at_s: int
    event: Event | None = None
    command_id: str | None = None

    @property
    def is_current_data(self) -> bool:
        """Whether it stands for CURRENT archives of the module."""
        return self.event is None


@dataclass(frozen=True)
class RelayHabits:
    """How a module behaves; shares of downlinks between 0 and 1.

    `sessions_s` are the instants at which its concentrator listens; without any it always does. `compress`
    divides all waiting, for trials that are not to take minutes.
    """

    lost: float = 0.02
    lost_answer: float = 0.03
    late: float = 0.05
    twice: float = 0.05
    stuck: float = 0.01
    power_fails: float = 0.01
    manual_valve: bool = False
    sessions_s: tuple[int, ...] = ()
    compress: float = 1.0


ALWAYS = RelayHabits(lost=0, lost_answer=0, late=0, twice=0, stuck=0, power_fails=0)
"""Does what it is told and says so once."""


@dataclass
class Relay:
    """A module's relay. `state` is 1 for supply on, `executed` the commands it carried out or refused."""

    module_id: str
    seed: int
    habits: RelayHabits = ALWAYS
    state: int = ON
    channel: int = 1
    executed: dict[str, int] = field(default_factory=dict)
    arrived: int = 0
    newest_sequence: int = -1

    def take(self, downlink: Downlink) -> list[Uplink]:
        """What a downlink makes come back, in order of time; nothing when it is lost, stale or done before.

        The relay acts when the downlink arrives. An id it has executed is not executed again. Of two relay
        commands the one with the smaller sequence is stale once the other was carried out.
        """
        if downlink.action not in ACTIONS:
            raise ValueError(f"expected an action of {', '.join(ACTIONS)}, found {downlink.action}")
        rng = np.random.default_rng([self.seed, self.arrived])
        self.arrived += 1
        lost, unheard, late, twice, stuck, fails = (rng.random(6) < self._shares()).tolist()
        arrives_s = self._listens(downlink.sent_s)
        if lost or arrives_s is None or arrives_s > downlink.not_after_s:
            return []
        if downlink.command_id in self.executed:
            return []
        low, high = LATE_S if late else ANSWER_S
        answer_s = arrives_s + max(1, round(float(rng.uniform(low, high)) / self.habits.compress))
        if downlink.action == DATA_REQUEST:
            self.executed[downlink.command_id] = DONE
            answers = [Uplink(answer_s, None, downlink.command_id)]
        else:
            answers = self._switch(downlink, answer_s, stuck=stuck, fails=fails)
        return [] if unheard else self._sent(answers, twice=twice)

    def _switch(self, downlink: Downlink, answer_s: int, *, stuck: bool, fails: bool) -> list[Uplink]:
        if downlink.sequence < self.newest_sequence:
            return []
        self.newest_sequence = downlink.sequence
        wanted = ON if downlink.action == CONNECT else OFF
        if not stuck:
            # "connect" of a manual valve only clears the flag: somebody opens it by hand
            self.state = self.state if self.habits.manual_valve and wanted == ON else wanted
        result = REFUSED_STUCK if stuck else DONE
        self.executed[downlink.command_id] = result
        if fails:  # between doing and answering: it only tells that it started again
            return [Uplink(answer_s, self._event("RESTARTED", answer_s))]
        state = self._event("RELAY_STATE", answer_s, self.state, downlink.command_id)
        done = self._event("COMMAND_RESULT", answer_s + self._report_s(), result, downlink.command_id)
        return [
            Uplink(answer_s, state, downlink.command_id),
            Uplink(answer_s + self._report_s(), done, downlink.command_id),
        ]

    def _sent(self, answers: Sequence[Uplink], *, twice: bool) -> list[Uplink]:
        """The answers; twice when it did not hear that they were received. The event stays the same."""
        wait_s = max(1, round(AGAIN_S / self.habits.compress))
        again = [replace(answer, at_s=answer.at_s + wait_s) for answer in answers] if twice else []
        return sorted([*answers, *again], key=lambda answer: answer.at_s)

    def _listens(self, sent_s: int) -> int | None:
        """When the downlink gets through; None when no session is to come."""
        if not self.habits.sessions_s:
            return sent_s
        return min((s for s in self.habits.sessions_s if s >= sent_s), default=None)

    def _shares(self) -> tuple[float, ...]:
        h = self.habits
        return h.lost, h.lost_answer, h.late, h.twice, h.stuck, h.power_fails

    def _report_s(self) -> int:
        return max(1, round(REPORT_S / self.habits.compress))

    def _event(self, kind: str, at_s: int, value: int | None = None, command: str | None = None) -> Event:
        return {
            "module_id": self.module_id,
            "channel": None if kind == "RESTARTED" else self.channel,
            "kind": kind,
            "phase": "OCCURRED",
            "occurred_at": at_s * 1000,
            "value": value,
            "command_id": command,
        }
