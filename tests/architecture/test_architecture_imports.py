"""Who may import whom: the contracts of `.importlinter`, and domains that are pure."""

import ast
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DOMAIN_MAY_IMPORT = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "numpy",
    "operator",
    "re",
    "scipy",
    "statistics",
    "typing",
    "unicodedata",
    "zlib",
    "zoneinfo",
    "balance_kernel",
}
"""Values and arithmetic. Not here, on purpose: logging, time, random, os, io, pathlib, asyncio, threading."""
CLOCKS = {"now", "utcnow", "today"}

DOMAINS = sorted((ROOT / "services").glob("*/src/*/domain/*.py"))


def members() -> list[Path]:
    """The workspace's members, as its pyproject lists them."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [ROOT / member for member in listed["tool"]["uv"]["workspace"]["members"]]


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of all modules a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_the_import_contracts_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = [str(linter), "--no-cache", "--config", str(ROOT / ".importlinter")]
    result = subprocess.run(run, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_import_contracts_name_every_package_of_the_workspace() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter", "utf-8")
    packages = {package.name for member in members() for package in (member / "src").iterdir()}
    assert set(contracts["importlinter"]["root_packages"].split()) == packages


@pytest.mark.parametrize("file", DOMAINS, ids=lambda f: str(f.relative_to(ROOT / "services")))
def test_a_domain_is_pure(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    service = file.parents[1].name
    for name in imported(tree):
        own = name == f"{service}.domain" or name.startswith(f"{service}.domain.")
        assert own or name.split(".")[0] in DOMAIN_MAY_IMPORT, f"{file.name} imports {name}"
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        assert not (isinstance(called, ast.Attribute) and called.attr in CLOCKS), f"{file.name} asks a clock"
        assert not (isinstance(called, ast.Name) and called.id in {"open", "print"}), f"{file.name}: {called}"


def test_every_service_has_a_domain_that_was_looked_at() -> None:
    assert {f.parents[1].name for f in DOMAINS} == {f.name for f in (ROOT / "services").glob("*/src/*")}


def test_nobody_imports_uvloop() -> None:
    for member in members():
        for file in member.rglob("*.py"):
            assert "uvloop" not in imported(ast.parse(file.read_text("utf-8"))), file
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "\nuvloop==" not in "\n" + lock.read_text("utf-8"), f"{lock.name} installs uvloop"
