"""PostgreSQL: binary COPY, partitions, the pool, migrations."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import numpy as np
import psycopg
import pytest
from balance_chassis.migrations import MigrationRefused, migrate
from balance_chassis.postgres import copy_binary, ensure_partitions, make_pool, storage_engine
from balance_chassis.testing import Installation
from balance_kernel.calendar import Calendar

pytestmark = pytest.mark.stack
MARCH = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)

TABLE = """
CREATE TABLE days (channel int, day_start timestamptz, readings int8[]) PARTITION BY RANGE (day_start);
-- if timescaledb
SELECT this_function_does_not_exist();
-- if plain
COMMENT ON TABLE days IS 'plain';
-- end
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with one migration, importable as `trial_package`."""
    folder = tmp_path / "trial_package" / "sql" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "trial_package" / "__init__.py").touch()
    (folder / "0001_create_days.sql").write_text(TABLE)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("trial_package", None)


@pytest.fixture
def dsn(installation: Installation) -> Iterator[str]:
    """An empty database."""
    yield installation.dsn
    with psycopg.connect(installation.dsn) as conn:
        conn.execute("DROP SCHEMA IF EXISTS trial, other CASCADE")
        conn.execute("DROP TABLE IF EXISTS public.balance_migration, public.balance_installation")


def test_migrations_are_applied_once_and_in_order(dsn: str, package: Path) -> None:
    first = migrate(dsn, "trial", "trial_package", Calendar())
    assert first == [*_chassis(), "0001_create_days.sql"]
    (package / "0002_add_note.sql").write_text("ALTER TABLE days ADD note text")
    assert migrate(dsn, "trial", "trial_package", Calendar()) == ["0002_add_note.sql"]
    assert migrate(dsn, "trial", "trial_package", Calendar()) == []
    with psycopg.connect(dsn) as conn:
        assert storage_engine(conn) == "plain"
        assert conn.execute("SELECT obj_description('trial.days'::regclass)").fetchone() == ("plain",)
        assert conn.execute("SELECT has_schema_privilege('balance_reader', 'trial', 'USAGE')").fetchone() == (
            True,
        )


@pytest.mark.usefixtures("package")
def test_two_services_and_many_processes_migrate_one_database(dsn: str) -> None:
    applied: list[str] = []
    services = ["trial", "other"] * 3
    threads = [
        Thread(target=lambda name=name: applied.extend(migrate(dsn, name, "trial_package", Calendar())))
        for name in services
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == sorted(2 * ["0001_create_days.sql", *_chassis()])


def _chassis() -> list[str]:
    names = (
        "0001_create_outbox",
        "0002_create_markers",
        "0003_index_markers_by_lane",
        "0004_create_markers_set_aside",
    )
    return [f"chassis/{name}.sql" for name in names]


def test_a_migration_that_fails_leaves_nothing(dsn: str, package: Path) -> None:
    (package / "0002_break.sql").write_text("SELECT nothing_like_this()")
    with pytest.raises(psycopg.errors.UndefinedFunction) as failed:
        migrate(dsn, "trial", "trial_package", Calendar())
    assert failed.value.__notes__ == ["in the migration 0002_break.sql of trial"]
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT to_regclass('trial.days')").fetchone() == (None,)


def test_a_changed_file_is_refused(dsn: str, package: Path) -> None:
    migrate(dsn, "trial", "trial_package", Calendar())
    (package / "0001_create_days.sql").write_text(TABLE + "-- other")
    with pytest.raises(MigrationRefused, match="changed after it was applied"):
        migrate(dsn, "trial", "trial_package", Calendar())


def test_a_database_of_a_newer_version_is_refused(dsn: str, package: Path) -> None:
    migrate(dsn, "trial", "trial_package", Calendar())
    (package / "0001_create_days.sql").unlink()
    with pytest.raises(MigrationRefused, match="newer"):
        migrate(dsn, "trial", "trial_package", Calendar())


@pytest.mark.usefixtures("package")
def test_another_calendar_is_refused(dsn: str) -> None:
    migrate(dsn, "trial", "trial_package", Calendar("Europe/Chisinau", 0))
    with pytest.raises(MigrationRefused, match="BALANCE_CALENDAR_DAY_START_HOUR"):
        migrate(dsn, "trial", "trial_package", Calendar("Europe/Chisinau", 7))


def test_a_wrong_name_is_refused(dsn: str, package: Path) -> None:
    (package / "2_break.sql").touch()
    with pytest.raises(MigrationRefused, match=r"0001_create_days\.sql"):
        migrate(dsn, "trial", "trial_package", Calendar())


@pytest.mark.usefixtures("package")
def test_partitions_are_made_by_utc_month_when_rows_need_them(dsn: str) -> None:
    migrate(dsn, "trial", "trial_package", Calendar())
    with psycopg.connect(dsn) as conn:
        for _ in range(2):
            ensure_partitions(conn, "trial.days", [MARCH, APRIL, MARCH])
        ensure_partitions(conn, "trial.days", [])
        rows = [(1, MARCH, [1, 2]), (np.int32(2), APRIL, np.array([3, 2**62]).tolist())]
        with conn.cursor() as cur:
            copy_binary(
                cur,
                "trial.days",
                ["channel", "day_start", "readings"],
                ["int4", "timestamptz", "int8[]"],
                rows,
            )
        found = conn.execute(
            "SELECT tableoid::regclass::text, readings FROM trial.days ORDER BY 1"
        ).fetchall()
    assert found == [("trial.days_2026_03", [1, 2]), ("trial.days_2026_04", [3, 2**62])]


@pytest.mark.usefixtures("package")
def test_two_processes_that_want_the_same_month_do_not_collide(dsn: str) -> None:
    migrate(dsn, "trial", "trial_package", Calendar())
    errors: list[Exception] = []

    def want() -> None:
        try:
            with psycopg.connect(dsn) as conn:
                ensure_partitions(conn, "trial.days", [MARCH])
        except psycopg.Error as error:
            errors.append(error)

    threads = [Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_pool_speaks_utc_and_says_who_it_is(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "Europe/Madrid")  # libpq sends it after all else
    with make_pool(installation.settings().postgres, "trial") as pool, pool.connection() as conn:
        row = conn.execute(
            "SELECT current_setting('TimeZone'), current_setting('application_name')"
        ).fetchone()
    assert row == ("UTC", "trial")


def test_a_connection_that_was_cut_off_is_replaced(installation: Installation) -> None:
    with make_pool(installation.settings().postgres, "trial", size=1) as pool:
        with pool.connection() as conn:
            pid = conn.info.backend_pid
        with psycopg.connect(installation.dsn, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pool.connection() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
