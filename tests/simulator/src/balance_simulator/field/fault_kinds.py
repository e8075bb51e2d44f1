"""The kinds of faults that a field can have, with what should find each."""

from __future__ import annotations

from dataclasses import dataclass

SILENT = "delivery.silent_concentrator"
METER, MODULE, CONCENTRATOR, GROUP, LOGGER = "meter", "module", "concentrator", "group", "logger"


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what it befalls, how many days a span needs for it, and the rule that should find it.

    `rule` is None where none should: the data is whole, or the balance is what tells. `passing` findings are
    withdrawn when the fault is over.
    """

    on: str
    rule: str | None
    least_days: int = 3
    meaning: str = ""
    passing: bool = False


KINDS = {
    "radio_outage": Kind(MODULE, None, 4, "up to 3 nights unheard; the module's archive makes good"),
    "archive_lost": Kind(MODULE, "vee.missing", 8, "5 to 9 nights unheard: hours are lost"),
    "battery_dead": Kind(MODULE, "delivery.battery", 6, "voltage falls, BATTERY_LOW, silence"),
    "gsm_outage": Kind(CONCENTRATOR, SILENT, 5, "a backlog comes afterwards", True),
    "unpaid_sim": Kind(CONCENTRATOR, "delivery.unpaid_sim", 8, "no session any more until the end"),
    "solar_dark": Kind(CONCENTRATOR, SILENT, 10, "5 to 7 days on its cell, then dark", True),
    "short_circuit": Kind(METER, "vee.sensor_fault", 4, "nothing counted, BEGUN and ENDED"),
    "open_circuit": Kind(METER, "vee.sensor_fault", 4, "nothing counted, BEGUN and ENDED"),
    "no_sensor": Kind(METER, "vee.sensor_fault", 4, "nothing counted, BEGUN and ENDED"),
    "magnet": Kind(METER, "vee.sensor_fault", 4, "the meter is held, BEGUN and ENDED"),
    "exchange_declared": Kind(METER, None, 3, "another meter, on the register with both readings"),
    "exchange_undeclared": Kind(METER, "vee.negative_consumption", 3, "another meter nobody told of"),
    "rollover": Kind(METER, "vee.negative_consumption", 3, "the register passes its last digit"),
    "register_reset": Kind(METER, "vee.negative_consumption", 3, "the register begins anew at 0"),
    "two_devices": Kind(METER, "vee.two_devices", 7, "archives of two devices by turns"),
    "leak": Kind(GROUP, None, 3, "gas or water leaves before the members' meters"),
    "slow": Kind(METER, None, 3, "counts a part of what flows"),
    "bypass": Kind(METER, "vee.zero", 3, "counts nothing, the home is warm"),
    "bypass_night": Kind(METER, None, 3, "counts nothing from 22 to 6 o'clock"),
    "stopped": Kind(METER, "vee.zero", 3, "counts nothing and says nothing"),
    "stuck": Kind(METER, "vee.stuck", 3, "the same count each hour"),
    "spike": Kind(METER, "vee.above_usual", 2, "one hour above half of Qmax"),
    "surge": Kind(METER, "vee.high", 2, "one hour above Qmax"),
    "vacant": Kind(METER, None, 3, "a trap, no fault: nobody is at home"),
    "conflicting_duplicate": Kind(METER, "vee.conflicting_duplicate", 2, "two deliveries, one value apart"),
    "duplicate_delivery": Kind(CONCENTRATOR, None, 2, "a session's packets come twice"),
    "moved": Kind(MODULE, None, 3, "gathered by another concentrator from midday on"),
    "hours_from_one": Kind(MODULE, "vee.clock_drift", 2, "the firmware counts hours from 1"),
    "clock_set_back": Kind(MODULE, "vee.missing", 2, "hours overwritten, others missing; CLOCK_SET"),
    "clock_drift": Kind(MODULE, "vee.clock_drift", 2, "minutes away, and drifting"),
    "concentrator_clock": Kind(CONCENTRATOR, "delivery.clock", 2, "minutes away"),
    "sensor_out_of_range": Kind(LOGGER, "vee.out_of_range", 2, "far beyond what the kind can be"),
    "sensor_not_a_number": Kind(LOGGER, "vee.missing", 2, "nothing from the sensor: positions missing"),
    "unknown_channel": Kind(MODULE, "vee.unknown_channel", 2, "a channel that no usage point has"),
    "future_packet": Kind(MODULE, "vee.future_time", 2, "an archive of days to come"),
}  # fmt: skip
