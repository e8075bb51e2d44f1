"""What each consumer group of this service makes of a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from balance_chassis.errors import BadRecord
from balance_chassis.framing import decoded
from balance_kernel.calendar import Calendar
from balance_schemas.codec import Codec

from balance_imbalance.adapters import wire, wire_assets, wire_group_days, wire_onsets, wire_weather
from balance_imbalance.adapters.plain_days import plain_days
from balance_imbalance.domain.messages import Asset, ChangedGroupDay, ReadingDays
from balance_imbalance.domain.weather_reports import WeatherReport

READINGS_GROUP = "imbalance-readings"
READINGS_BACKLOG_GROUP = "imbalance-readings-backlog"
ASSETS_GROUP = "imbalance-assets"
WEATHER_GROUP = "imbalance-weather"
ONSET_GROUP = "imbalance-onset"

NOTHING = "a tombstone says nothing"
OUR_OWN = "what came of group-days starts nothing"


def decode_readings(codec: Codec, calendar: Calendar, data: bytes | None) -> ReadingDays:
    """Reading days of framed bytes; ``codec`` gives raw timestamps. Raises BadRecord."""
    avro = codec.newest_avro(wire.READING_DAYS, data or b"")
    plain = None if avro is None else plain_days(avro)
    days = None if plain is None else wire.from_plain_days(plain, calendar)
    if days is not None:
        return days
    name, value = decoded(codec, data)
    if name != wire.READING_DAYS:
        raise BadRecord(f"expected {wire.READING_DAYS}, found {name}: written to the wrong topic")
    return wire.from_wire_reading_days(value, calendar)


def decode_asset(codec: Codec, _calendar: Calendar, data: bytes | None) -> Asset | str:
    """An entity of framed bytes, or NOTHING of a tombstone. Raises BadRecord."""
    if data is None:
        return NOTHING
    name, value = decoded(codec, data)
    if name not in wire_assets.ASSETS:
        raise BadRecord(
            f"expected one of {', '.join(wire_assets.ASSETS)}, found {name}: written to the wrong topic"
        )
    return wire_assets.ASSETS[name](value)


def decode_weather(codec: Codec, calendar: Calendar, data: bytes | None) -> WeatherReport:
    """A weather day of framed bytes; ``codec`` gives raw timestamps. Raises BadRecord."""
    name, value = decoded(codec, data)
    if name != wire_weather.WEATHER_DAY:
        raise BadRecord(f"expected {wire_weather.WEATHER_DAY}, found {name}: written to the wrong topic")
    return wire_weather.from_wire_weather_day(value, calendar)


def decode_group_day(codec: Codec, calendar: Calendar, data: bytes | None) -> ChangedGroupDay | str:
    """Which group-day changed, of framed bytes; OUR_OWN for onsets and alarms. Raises BadRecord."""
    if data is None:
        return NOTHING
    name, value = decoded(codec, data)
    if name in (wire_onsets.ONSET, wire_onsets.HOUR_ALARM):
        return OUR_OWN
    if name != wire_group_days.GROUP_DAY:
        raise BadRecord(f"expected {wire_group_days.GROUP_DAY}, found {name}: written to the wrong topic")
    return wire_onsets.from_wire_group_day(value, calendar)


Decode = Callable[[Codec, Calendar, bytes | None], object]

CONSUMERS: Mapping[str, Decode] = {
    READINGS_GROUP: decode_readings,
    READINGS_BACKLOG_GROUP: decode_readings,
    ASSETS_GROUP: decode_asset,
    WEATHER_GROUP: decode_weather,
    ONSET_GROUP: decode_group_day,
}
"""By consumer group of the catalogue: framed bytes to what its handler takes."""
