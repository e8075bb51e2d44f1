"""Where ids come from, and what becomes of bytes that are no record."""

from pathlib import Path

import pytest
from balance_chassis import framing
from balance_chassis.errors import BadRecord
from balance_chassis.settings import RegistrySettings
from balance_schemas import avsc, codec, registry

NAMES = sorted(avsc.names())
IDS = {name: number for number, name in enumerate(NAMES, start=1)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ids.json"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> dict[str, int]:
        raise registry.RegistryError("away")

    monkeypatch.setattr(registry, "resolve", refused)


def test_ids_of_the_registry_are_kept_in_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def resolved(*given: object) -> dict[str, int]:
        asked.append(given)
        return IDS

    monkeypatch.setattr(registry, "resolve", resolved)
    framing.make_codec(RegistrySettings("http://here", file, "reader", "secret"))
    assert codec.load_ids(file) == IDS
    assert asked == [("http://here", ("reader", "secret"))]


@pytest.mark.usefixtures("away")
def test_the_file_serves_while_the_registry_is_away(file: Path) -> None:
    codec.save_ids(file, IDS)
    made = framing.make_codec(RegistrySettings("http://here", file))
    with pytest.raises(BadRecord, match="99"):
        framing.decoded(made, b"\0" + (99).to_bytes(4, "big") + b"x")


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("known", [True, False])
def test_without_registry_and_file_there_is_no_codec(file: Path, known: bool) -> None:
    with pytest.raises(registry.RegistryError):
        framing.make_codec(RegistrySettings("http://here", file if known else None))


@pytest.mark.parametrize("data", [None, b"", b"\0\0\0", b"{}"])
def test_what_is_no_record_is_a_bad_record(data: bytes | None) -> None:
    with pytest.raises(BadRecord, match="expected"):
        framing.decoded(codec.Codec(IDS, raw_timestamps=True), data)
