"""Words of the pages: every one in every language, with its values; figures as people write them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from balance_gateway.entrypoints.pages import words

PACKAGE = Path(str(files("balance_gateway")))
MARKED = {"_": None, "_l": None, "say": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
VALUE = re.compile(r"%\(\w+\)s|%\(num\)d")


@cache
def written() -> set[str]:
    """Everything that pages say, in English; the singular of what has a plural."""
    found = extract_from_dir(PACKAGE, METHODS, keywords=MARKED)
    return {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}


def translated(locale: str) -> Iterator[Any]:
    for file in sorted((PACKAGE / "translations" / locale).glob("*.po")):
        yield from (message for message in read_po(io.BytesIO(file.read_bytes()), locale) if message.id)


def texts(found: Any) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found)


def values(text: str) -> set[str]:
    return set(VALUE.findall(text))


@pytest.mark.parametrize("locale", ["ro", "ru"])
def test_every_word_is_translated(locale: str) -> None:
    known = {texts(message.id)[0] for message in translated(locale) if all(texts(message.string))}
    missing = sorted(written() - known)
    assert not missing, f"{len(missing)} are not in translations/{locale}: {missing}"


@pytest.mark.parametrize("locale", ["ro", "ru"])
def test_no_translation_is_of_something_no_page_says_or_leaves_a_value_out(locale: str) -> None:
    said = written()
    for message in translated(locale):
        one, *_ = texts(message.id)
        assert one in said, one
        assert not message.fuzzy, one
        for place, text in enumerate(texts(message.string)):
            only_one = place == 0 and locale == "ro"  # in Russian the same form is of 21 and 31 too
            wanted = texts(message.id) if only_one else texts(message.id)[-1:]
            assert values(text) in [values(each) for each in wanted], one


@pytest.mark.parametrize(
    ("value", "locale", "shown"),
    [
        (1234567, "ru", "1 234 567"),
        (41.23, "ro", "41,2"),
        (41.23, "en", "41.2"),
        (0.0012345, "en", "0.00123"),
        (99.96, "en", "100"),
        (3, "en", "3"),
        (3.0, "en", "3.00"),
        (-0.00001, "ro", "−0,0000100"),
        (0, "ru", "0"),
        (Decimal("1234.56"), "ro", "1 235"),
        (None, "ro", "—"),
        (float("nan"), "en", "—"),
    ],
)
def test_a_headline_has_three_significant_digits_at_least(value: Any, locale: str, shown: str) -> None:
    assert words.number(value, locale).replace(words.THIN, " ") == shown


def test_a_column_has_the_decimals_it_is_given() -> None:
    assert words.number(1234.5678, "ru", 2) == f"1{words.THIN}234,57"
    assert words.number(-0.001, "en", 1) == "0.0"
    assert words.number(3, "en", 0, signed=True) == "+3"
    assert words.number(-3, "en", 0, signed=True) == "−3"


@pytest.mark.parametrize(
    ("value", "unit", "options", "shown"),
    [
        (4_812_400_000, "MILLILITRE", {}, "4 812 m³"),
        (4_812_400_000, "MILLILITRE", {"decimals": 1, "signed": True}, "+4 812,4 m³"),
        (350, "MILLILITRE", {}, "0,000350 m³"),
        (1500, "WATT_HOUR", {}, "1,50 kWh"),
        (21_450, "MILLIDEGREE_CELSIUS", {"decimals": 1}, "21,4 °C"),
        (5_200, "THOUSANDTH", {"symbol": "kPa"}, "5,20 kPa"),
        (5_200, "THOUSANDTH", {}, "5,20"),
        (None, "MILLILITRE", {}, "—"),
    ],
)
def test_a_quantity_has_the_unit_people_know(value: Any, unit: str, options: Any, shown: str) -> None:
    assert words.quantity(value, unit, "ro", **options).replace(words.THIN, " ") == shown


def test_a_share_is_in_per_cent() -> None:
    assert words.share(0.01749, "ru", signed=True) == f"+1,7{words.THIN}%"
    assert words.share(None, "ru") == "—"


@pytest.mark.parametrize(
    ("locale", "shown"),
    [("en", "29 Mar 2026, 04:30"), ("ro", "29 mar. 2026, 04:30"), ("ru", "29 мар. 2026, 04:30")],
)
def test_an_instant_is_by_the_clocks_of_the_installation(locale: str, shown: str) -> None:
    at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert words.instant(at, "Europe/Chisinau", locale).replace("29 мар. 2026 г.", "29 мар. 2026") == shown
    assert words.instant(None, "Europe/Chisinau", locale) == "—"


def test_a_day_is_the_one_on_which_an_instant_falls() -> None:
    assert words.day(datetime(2025, 11, 8, 22, tzinfo=UTC), "Europe/Chisinau", "en") == "9 Nov 2025"
    assert words.day(date(2025, 11, 9), "UTC", "ru") == "9 нояб. 2025"
