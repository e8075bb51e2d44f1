"""What was released is never changed and stays readable both ways; the checker itself is tested."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from balance_schemas import avsc, compatibility

NAME = "balance.v1.FindingChanged"
SCHEMA: dict[str, Any] = avsc.newest(NAME)


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in schema["fields"] if f["name"] == name)


def changed(change: str) -> dict[str, Any]:
    """The record with one change."""
    schema = deepcopy(SCHEMA)
    match change:
        case "field added with a default":
            schema["fields"].append({"name": "note", "type": "string", "default": "", "doc": "A note."})
        case "symbol added":
            field(schema, "severity")["type"]["symbols"].append("DANGER")
        case "field added without a default":
            schema["fields"].append({"name": "note", "type": "string", "doc": "A note."})
        case "field removed":
            schema["fields"].remove(field(schema, "message"))
        case "field renamed":
            field(schema, "message")["name"] = "text"
        case "type widened":
            field(schema, "version")["type"] = "double"
        case "made nullable":
            field(schema, "message")["type"] = ["null", "string"]
    return schema


def folder(root: Path, newest: dict[str, Any], *released: dict[str, Any]) -> Path:
    """A folder of records with one record."""
    versions = root / "versions" / NAME
    versions.mkdir(parents=True)
    (root / f"{NAME}.avsc").write_text(json.dumps(newest), "utf-8")
    for number, schema in enumerate(released, start=1):
        (versions / f"{number}.avsc").write_text(json.dumps(schema), "utf-8")
    return root


def test_every_record_is_compatible_with_every_version_of_it_and_none_was_changed() -> None:
    assert compatibility.check() == []


@pytest.mark.parametrize("change", ["field added with a default", "symbol added"])
def test_a_compatible_change_only_asks_for_a_release(tmp_path: Path, change: str) -> None:
    records = folder(tmp_path, changed(change), SCHEMA)
    assert compatibility.breaks(changed(change), SCHEMA) == []
    (error,) = compatibility.check(records)
    assert "released version 1" in error
    assert "release" in error

    (written,) = compatibility.release(records)
    assert written.name == "2.avsc"
    assert compatibility.check(records) == []
    assert compatibility.release(records) == []


@pytest.mark.parametrize(
    "change",
    [
        "field added without a default",
        "field removed",
        "field renamed",
        "type widened",
        "made nullable",
    ],
)
def test_an_incompatible_change_is_refused(tmp_path: Path, change: str) -> None:
    records = folder(tmp_path, changed(change), SCHEMA)
    assert any("compatible both ways with version 1" in error for error in compatibility.check(records))
    with pytest.raises(ValueError, match="compatible both ways"):
        compatibility.release(records)
    assert [f.name for f in (records / "versions" / NAME).iterdir()] == ["1.avsc"]


def test_a_symbol_can_only_be_added_where_the_older_has_a_default_symbol() -> None:
    older, newer = deepcopy(SCHEMA), changed("symbol added")
    del field(older, "severity")["type"]["default"]
    (why,) = compatibility.breaks(newer, older)
    assert "the older cannot read the newer" in why
    assert "DANGER" in why


def test_every_earlier_version_counts_not_only_the_last(tmp_path: Path) -> None:
    records = folder(tmp_path, SCHEMA, changed("field removed"), SCHEMA)
    assert any("with version 1" in error for error in compatibility.check(records))


def test_a_record_never_released_is_told(tmp_path: Path) -> None:
    (error,) = compatibility.check(folder(tmp_path, SCHEMA))
    assert "any released version" in error


def test_documentation_may_be_improved_without_a_release(tmp_path: Path) -> None:
    better = deepcopy(SCHEMA)
    better["doc"] = "Better words."
    field(better, "message")["doc"] = "Better words."
    assert compatibility.check(folder(tmp_path, better, SCHEMA)) == []


def test_a_missing_version_number_is_told(tmp_path: Path) -> None:
    records = folder(tmp_path, SCHEMA, SCHEMA)
    (records / "versions" / NAME / "1.avsc").rename(records / "versions" / NAME / "3.avsc")
    assert any("numbered from 1" in error for error in compatibility.check(records))


def test_the_command_ends_with_1_on_a_bad_file(tmp_path: Path) -> None:
    bad = folder(tmp_path, changed("field removed"), SCHEMA)
    run = [sys.executable, "-m", "balance_schemas", "check", "--records"]
    refused = subprocess.run([*run, bad], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "message" in refused.stdout
    accepted = subprocess.run([*run, str(avsc.RECORDS)], capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stdout
