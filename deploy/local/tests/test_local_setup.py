"""`make setup`: what is due is done, what is there is passed over, what it may not do is named."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PREPARE = Path(__file__).resolve().parents[1] / "prepare.py"
LOCKS = sorted((PREPARE.parents[2] / "requirements").glob("*.txt"))


@pytest.fixture
def prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare", PREPARE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_who_may_not_install_is_told_the_command(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 1000)
    for package in ("maven", "postgresql"):
        monkeypatch.setitem(prepare._DEBIAN_PACKAGES, package, lambda: False)
    with pytest.raises(prepare.UnpreparedError, match=r"sudo apt-get install .* maven postgresql\n"):
        prepare.system_packages()


def test_nothing_is_installed_where_all_is_there(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in prepare._DEBIAN_PACKAGES:
        monkeypatch.setitem(prepare._DEBIAN_PACKAGES, package, lambda: True)
    assert not prepare.system_packages()


def test_a_step_is_done_again_only_when_what_it_is_made_from_changes(
    prepare: ModuleType, tmp_path: Path
) -> None:
    source, stamp, made = tmp_path / "lock.txt", tmp_path / "stamp", []
    source.write_text("one")

    def step(salt: str = "") -> bool:
        done: bool = prepare._step("a step", stamp, [source], salt, lambda: made.append(source.read_text()))
        return done

    assert [step(), step()] == [True, False]
    source.write_text("two")
    assert [step(), step()] == [True, False]
    assert [step("other"), step("other")] == [True, False]
    assert made == ["one", "two", "two"]


def test_a_step_that_failed_is_due_again(prepare: ModuleType, tmp_path: Path) -> None:
    def fail() -> None:
        prepare._run(["sh", "-c", "echo no network; exit 1"])

    for _ in range(2):
        with pytest.raises(prepare.UnpreparedError, match=r"this failed(.|\n)*no network"):
            prepare._step("a step", tmp_path / "stamp", [], "", fail)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_pin_by_hash_and_name_no_host(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not any("://" in line or line.startswith("-") for line in lines)
