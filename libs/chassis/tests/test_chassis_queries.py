"""Statements by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from balance_chassis.queries import statements


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A package with these statements."""
    name = f"package_of_{request.node.name.split('[')[0]}"
    folder = tmp_path / name / "sql"
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("", "utf-8")
    (folder / "queries.sql").write_text(request.param, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize("package", ["-- name: one\nSELECT 1\n\n-- name: two\nSELECT 2\n"], indirect=True)
def test_statements_by_name(package: str) -> None:
    assert statements(package) == {"one": "SELECT 1", "two": "SELECT 2"}


@pytest.mark.parametrize("package", ["-- name: one\nSELECT 1\n"], indirect=True)
def test_every_file_of_statements_counts(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "sql" / "more.sql").write_text("-- Of a part.\n\n-- name: two\nSELECT 2\n", "utf-8")
    assert statements(package) == {"one": "SELECT 1", "two": "SELECT 2"}


@pytest.mark.parametrize("package", ["-- name: one\nSELECT 1\n\n-- name: one\nSELECT 2\n"], indirect=True)
def test_a_name_given_twice_is_refused(package: str) -> None:
    with pytest.raises(ValueError, match="found twice: one"):
        statements(package)
