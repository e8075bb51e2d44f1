"""Tables as people keep them: rows become entities, and what is wrong is said by row and column."""

from __future__ import annotations

import io
from typing import Any

import pytest
import xlsxwriter
from balance_gateway.adapters import files
from balance_gateway.adapters.files import Document, FileError
from balance_gateway.domain.kinds import KINDS, USAGE_POINT

HEAD = (
    "usage_point_id;resource;object_path;meters.meter_number;meters.fitted_at;meters.pulse_weight;"
    "channels.module_id"
)


def csv(*lines: str) -> Document:
    return files.read("points.csv", "\n".join(lines).encode())


def wrong(name: str, content: bytes) -> str:
    with pytest.raises(FileError) as caught:
        files.read(name, content)
    return str(caught.value)


def test_rows_of_one_id_are_one_entity_with_its_fittings() -> None:
    document = csv(
        HEAD,
        "UP-1;GAS;Moldova > Ialoveni > Crasescu 5/2;4711;2020-01-01;10;D-1",
        "UP-2;GAS;;4713;01.02.2021;10;",
        ";;;;;;",
        "UP-1;;;4712;2024-05-01;10;",
    )
    first, second = (one.fields for one in document.written)
    assert first["object_path"] == ["Moldova", "Ialoveni", "Crasescu 5/2"]
    assert [meter["meter_number"] for meter in first["meters"]] == ["4711", "4712"]
    assert first["channels"] == [{"module_id": "D-1"}]
    assert second["channels"] == []
    assert {one.kind for one in document.written} == {USAGE_POINT}


def test_a_problem_is_told_by_the_row_and_column_where_it_can_be_mended(a: Any) -> None:
    document = csv(
        HEAD, "UP-1;GAS;;4711;2020-01-01;10;", "UP-1;;;4712;never;10;", "UP-2;GAZ;;1;2020-01-01;10;"
    )
    _, problems = a.read(*document.written)
    told = [document.told(problem) for problem in problems]
    assert any(
        words.startswith("points.csv: row 3, column meters.fitted_at: expected a day such as")
        for words in told
    )
    assert any(words.startswith("points.csv: row 4, column resource: expected one of GAS") for words in told)
    assert any(words.startswith("points.csv: row 3, column meters.q_max: is missing") for words in told)


def test_what_a_table_contradicts_itself_in_is_said() -> None:
    said = wrong("t.csv", b"usage_point_id,resource\nUP-1,GAS\nUP-1,WATER\n,GAS\n")
    assert "t.csv: row 3, column resource: expected GAS as in a row before, found WATER" in said
    assert "t.csv: row 4, column usage_point_id: expected an id, found nothing" in said


def test_columns_that_nobody_knows_are_refused() -> None:
    said = wrong("t.csv", b"usage_point_id,colour,meters,sp_id,sp_id,\nUP-1,red,,,,x\n")
    assert "column colour: expected one of usage_point_id, state" in said
    assert "column meters: expected one of" in said
    assert "column sp_id: expected it once, found it twice" in said
    assert "column 6: expected a name in the first row, found nothing" in said


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "expected a column usage_point_id, module_id"),
        ("t.csv", b"a,b\n1,2\n", "expected a column usage_point_id"),
        ("t.csv", b"usage_point_id\n\xff\xfe\n", "save it as CSV UTF-8"),
        ("t.csv", b'usage_point_id\n"UP-1\n', "expected a table"),
        ("t.xlsx", b"not a workbook", "expected a workbook"),
        ("t.xlsx", b"PK\x03\x04 broken", "expected a workbook"),
        ("t.pdf", b"%PDF", "expected a file .yaml, .csv or .xlsx, found .pdf"),
        ("t", b"", "found no ending"),
        ("t.yaml", b"- a list", "expected lists of usage_points"),
        ("t.yaml", b"fleet: []", "found fleet"),
        ("t.yaml", b"usage_points: all", "usage_points: expected a list"),
        ("t.yaml", b"a: [", "expected a file of YAML"),
        ("t.yaml", b"\x00", "expected a file of YAML"),
        ("t.yaml", b"\xff", "expected a file of YAML"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_words(name: str, content: bytes, words: str) -> None:
    assert words in wrong(name, content)


def test_a_workbook_has_a_kind_a_sheet(a: Any) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        points, modules = book.add_worksheet("Points"), book.add_worksheet("Modules")
        book.add_worksheet("Notes")
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        points.write_row(
            0, 0, ["Usage_point_id", "resource", "sp_id", "meters.meter_number", "meters.fitted_at"]
        )
        points.write_row(1, 0, ["UP-1", "GAS", 1234567, "0042"])
        points.write_datetime(1, 4, __import__("datetime").datetime(2024, 10, 1), day)
        modules.write_row(0, 0, ["module_id", "firmware", "settings.valid_from", "settings.packet_mode"])
        modules.write_row(1, 0, ["D-1", 18, "2024-10-01", "DAILY"])
    document = files.read("fleet.xlsx", content.getvalue())
    point, module = (one.fields for one in document.written)
    assert (point["sp_id"], point["meters"][0]["meter_number"]) == ("1234567", "0042")
    assert document.origins["module/D-1"].sheet == "Modules"
    (entity,), problems = a.read(document.written[1])
    assert problems == []
    assert (entity.value["firmware"], module["firmware"]) == (18, "18")


def test_a_described_fleet_is_lists_of_records() -> None:
    document = files.read(
        "fleet.yaml", b"modules: [{module_id: M-1}]\nconcentrators:\nedits: [{edit_id: E}]\n"
    )
    assert [(one.kind.word, one.fields) for one in document.written] == [
        ("module", {"module_id": "M-1"}),
        ("reading-edit", {"edit_id": "E"}),
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_a_table_of_every_column_there_is_has_no_unknown_ones(kind: Any) -> None:
    columns = files.template(kind)
    assert columns[0] == kind.id_field
    row = ["X"] + [""] * (len(columns) - 1)
    (written,) = files.read("t.csv", "\n".join([",".join(columns), ",".join(row)]).encode()).written
    assert written.kind is kind
