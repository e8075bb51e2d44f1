"""What the pages of the register are made of: words to find by, dials, sentences, differences."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from balance_gateway.domain import finding, meters, radio, telling, timelines
from balance_gateway.domain.amending import amendments
from balance_gateway.domain.problems import RefusedError

NOW = datetime(2026, 3, 12, 6, tzinfo=UTC)
HEARD = {
    "packet_mode": "DAILY",
    "heard_at": NOW,
    "silent_since": None,
    "battery_finding": None,
    "signal_dbm": -80,
}


def test_an_entity_is_found_by_words_of_its_ids_and_path(a: Any) -> None:
    written = a.usage_point("STR_5/2", sp_id="SP 7", object_path=["Raion", "Str. Crăsescu", "Ёлка"])
    ((point,), _) = a.read(written)
    found = finding.words(point)
    for word in (
        "=str_5/2",
        "=sp 7",
        "=1",
        "str_5/2",
        "5",
        "2",
        "sp",
        "crasescu",
        "елка",
        "#usage-point",
        "m-str_5/2",
    ):
        assert word in found
    assert sum(word.startswith(">") for word in found) == 3
    assert finding.asked_place(["Raion", "Str. Crăsescu"]).strip("'") in found
    assert finding.asked_place(["Str. Crăsescu"]).strip("'") not in found
    assert finding.asked_place([]) == ""


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Crăsescu 5", "'crasescu':* & '5'"),
        ("9000", "'9000':*"),
        ("5-2", "('5-2':* | ('5' & '2'))"),
        ("o'neil", "('o''neil':* | ('o' & 'neil':*))"),
        ("a\\b", "('a\\\\b':* | ('a' & 'b'))"),
        ("  ", None),
    ],
)
def test_what_is_asked_for_begins_so_but_for_short_numbers(said: str, asked: str | None) -> None:
    assert finding.asked(said) == asked


@pytest.mark.parametrize(
    ("weight", "digits", "resource", "said"),
    [
        (10_000, 7, "GAS", "04812.37"),
        (1_000, 8, "WATER", "00481.237"),
        (1_000_000, 6, "WATER", "481237"),
        (1, 8, "ELECTRICITY", "00481.237"),
        (100_000, 6, "GAS", "48123.7"),
    ],
)
def test_a_register_is_shown_as_on_the_dial(
    weight: int, digits: int, resource: str, said: str, a: Any
) -> None:
    meter = a.meter(pulse_weight=weight, register_digits=digits)
    assert meters.dial(481_237, meter, resource) == said
    form = meters.Form({"register": said.replace(".", ",")}, "x")
    assert form.register("register", weight, meters.UNITS[resource], is_needed=True) == 481_237


def test_all_that_is_wrong_with_an_exchange_is_said_at_once(a: Any) -> None:
    point = {"usage_point_id": "U", "resource": "GAS", "meters": [{**a.meter(), "removed_at": None}]}
    with pytest.raises(RefusedError) as refused:
        meters.exchanged(point, {"pulse_weight": "NaN", "q_max": "-1", "register_digits": "1" * 30})
    assert [problem.path[0] for problem in refused.value.problems] == [
        "fitted_at", "final_register", "pulse_weight", "meter_number",
        "accuracy_class", "register_digits", "q_max",
    ]  # fmt: skip


def test_what_differs_is_a_thing_more_or_less_or_a_field() -> None:
    before = {"a": None, "path": ["x"], "meters": [{"n": 1, "end": None}, {"n": 2}]}
    after = {"a": "", "path": ["x", "y"], "meters": [{"n": 1, "end": 5}], "channels": [{"c": 1}]}
    found = [(one.how, one.things, one.position, one.field) for one in amendments(before, after)]
    assert found == [
        ("changed", None, None, "path"),
        ("changed", "meters", 1, "end"),
        ("removed", "meters", 2, None),
        ("added", "channels", 1, None),
    ]
    assert list(amendments(None, after)) == []


def test_a_concentrator_gathers_what_is_set_at_the_time() -> None:
    daily = {"valid_from": 10, "packet_mode": "DAILY", "concentrator_id": "J"}
    often = {"valid_from": 20, "packet_mode": "INTRADAY_60", "concentrator_id": "J"}
    settings = {"a": [daily, often], "b": [daily]}
    assert [radio.packets_a_day(settings, "J", at) for at in (5, 15, 25)] == [0, 2, 25]


def test_fittings_lie_on_one_line_of_time() -> None:
    things: list[dict[str, Any]] = [
        {"fitted_at": 100, "removed_at": 200},
        {"fitted_at": 200, "removed_at": None},
    ]
    line = timelines.line(things, 500)
    assert line
    assert [(bar.offset, bar.width) for bar in line.bars(things)] == [(0, 25), (25, 75)]
    assert timelines.line([], 500) is None


def test_how_a_usage_point_stands_is_worst_of_what_is_known(a: Any) -> None:
    ((point,), _) = a.read(a.usage_point())
    came = {"received_hours": 24, "expected_hours": 24, "status": "RECEIVED", "day_start": NOW}
    late = {**came, "received_hours": 0, "status": "MISSING"}

    def look(module: Any, deliveries: Any, findings: int = 0, **changes: Any) -> str:
        return telling.point_told({**point.value, **changes}, NOW, module, deliveries, None, findings).look

    assert look(HEARD, [came]) == "fine"
    assert look(HEARD, [late, came]) == "unsure"
    assert look(HEARD, []) == "unsure"
    assert look(HEARD, [came], 1) == "unsure"
    assert look({**HEARD, "silent_since": NOW}, [came]) == "act"
    assert look(None, [came]) == "none"
    assert look(HEARD, [came], channels=[]) == "none"
    assert look(HEARD, [came], state="DELETED") == "none"
