"""The floor plan: the same files in every service, modules of a readable size, names that say something."""

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(folder for folder in (ROOT / "services").iterdir() if folder.is_dir())

IN_A_SERVICE = (
    "__init__.py",
    "__main__.py",
    "settings.py",
    "bootstrap.py",
    "ports.py",
    "handlers.py",
    "metrics.py",
    "domain/__init__.py",
    "entrypoints/__init__.py",
    "adapters/__init__.py",
    "adapters/postgres.py",
    "adapters/wire.py",
    "sql/queries.sql",
    "py.typed",
)
MAY_BE_IN_A_SERVICE = {
    "entrypoints/kafka.py",
    "entrypoints/mqtt.py",
    # Pages: the application, what every page has; a command of the service alone.
    "entrypoints/http.py",
    "entrypoints/desk.py",
    "entrypoints/console.py",
    "entrypoints/weather.py",
    # Steps of handlers, over ports alone, where these have too many for one module: domain/ may know no port.
    # `computing` is a folder beside it.
    "storing.py",
}
FORBIDDEN_NAMES = {"common", "utils", "util", "helpers", "misc", "shared", "base", "manager", "core"}

HARD_LIMIT_LINES = 450
P90_LINES = 400
MAIN_LIMIT_LINES = 40


def committed(*patterns: str) -> list[Path]:
    """Files under version control and files about to be, that match."""
    run = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()
    return [ROOT / name for name in sorted(set(found)) if (ROOT / name).is_file()]


MODULES = [
    f for f in committed("*.py") if not {"tests"} & set(f.relative_to(ROOT).parts[:-1]) or "src" in f.parts
]
TESTS = [f for f in committed("*.py") if f not in MODULES]


def lines(file: Path) -> int:
    return len(file.read_text("utf-8").splitlines())


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_a_service_has_the_same_rooms_as_every_other(service: Path) -> None:
    package = service / "src" / f"balance_{service.name.replace('-', '_')}"
    missing = [name for name in IN_A_SERVICE if not (package / name).is_file()]
    missing += [name for name in ("README.md", "pyproject.toml", "tests") if not (service / name).exists()]
    assert not missing, f"{service.name} lacks {missing}"
    top = {f"{f.parent.name}/{f.name}" if f.parent != package else f.name for f in rooms(package)}
    extra = top - set(IN_A_SERVICE) - MAY_BE_IN_A_SERVICE
    assert not extra, (
        f"{service.name} has {sorted(extra)}, which no other service has: what is pure belongs in domain/, "
        "what talks to something in adapters/, one function a message in handlers.py, and what several of "
        "them do over ports in storing.py or computing/"
    )


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_every_statement_is_run_by_name_and_every_name_is_a_statement(service: Path) -> None:
    queries = "\n".join(f.read_text("utf-8") for f in service.glob("src/*/sql/*.sql"))
    written = set(re.findall(r"^-- name: (\w+)$", queries, re.MULTILINE))
    code = "\n".join(f.read_text("utf-8") for f in service.glob("src/**/*.py"))
    assert not set(re.findall(r'\bstatement\("(\w+)"\)', code)) - written
    assert not written - set(re.findall(r'"(\w+)"', code))


def rooms(package: Path) -> list[Path]:
    """Modules at the top and in the entry points; domain and adapters are as the service needs them."""
    return [*package.glob("*.py"), *(package / "entrypoints").glob("*.py")]


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_a_service_is_started_by_a_few_lines(service: Path) -> None:
    (main,) = service.glob("src/*/__main__.py")
    assert lines(main) < MAIN_LIMIT_LINES


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_migrations_are_numbered_and_named_verb_object(service: Path) -> None:
    migrations = sorted(f.name for f in service.glob("src/*/sql/migrations/*"))
    assert migrations
    for number, name in enumerate(migrations, start=1):
        assert re.fullmatch(rf"{number:04d}_[a-z]+(_[a-z0-9]+)+\.sql", name), name


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [
        relative(f) for f in MODULES + TESTS if FORBIDDEN_NAMES & {f.stem, *f.relative_to(ROOT).parts[:-1]}
    ]
    assert not named


def test_modules_are_short() -> None:
    sizes = sorted((lines(f), relative(f)) for f in MODULES)
    assert not [size for size in sizes if size[0] > HARD_LIMIT_LINES]
    assert sizes[len(sizes) * 9 // 10][0] < P90_LINES


def test_tests_are_no_packages_and_no_two_have_the_same_name() -> None:
    assert not [relative(f) for f in TESTS if f.name == "__init__.py"]
    doubled = [name for name, times in Counter(f.name for f in TESTS).items() if times > 1]
    assert not [name for name in doubled if name != "conftest.py"]


def test_members_are_listed_one_by_one_and_exist() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["workspace"]["members"]
    found = {relative(f.parent) for f in committed("*/pyproject.toml")}
    assert sorted(listed) == sorted(found)
    for member in listed:
        assert list((ROOT / member / "src").glob("*/py.typed")), f"{member} has no py.typed"
