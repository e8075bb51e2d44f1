"""What may stand in no committed file: topic names outside the contract, machine paths, hosts, skips."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SELF = Path(__file__).resolve()

TOPIC = re.compile(r"\bbalance\.(?!v\d)[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*\.v\d+\b")
MACHINE_PATH = re.compile(r"(?<![\w.}-])/(work|root|home/\w+|Users/\w+|tmp/\w+)\b(?!/?\.\.\.)")
PACKAGE_HOST = re.compile(
    r"pypi\.org|pythonhosted|maven\.org|maven\.apache\.org/maven2|repo1\.|deb\.debian|registry\.npmjs"
    r"|artifactory|nexus\.|index-url\s+http|proxy\.golang|://[\w.-]*mirror"
)
SKIP = re.compile(r"pytest\.(skip|xfail|importorskip)\b|mark\.(skip|skipif|xfail)\b|unittest\.skip|SkipTest")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".sql",
    ".sh",
    ".txt",
    ".in",
    ".json",
    ".avsc",
    ".cfg",
    ".xml",
    "",
}
CONTRACT_FOLDERS = ("schemas/", "docs/", "requirements/")


def committed() -> list[Path]:
    """Text files under version control and files about to be, but this one."""
    run = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()
    files = [ROOT / name for name in sorted(set(names))]
    return [f for f in files if f.is_file() and f.suffix in TEXT and f != SELF]


def found(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """Where a pattern occurs, as file:line: text."""
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """String constants of a module that are no docstrings."""
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.lineno, node.value


def outside_the_contract(suffix: str) -> list[Path]:
    """Committed files of a kind, but for those of the contract and its pages."""
    return [
        f
        for f in committed()
        if f.suffix == suffix and not str(f.relative_to(ROOT)).startswith(CONTRACT_FOLDERS)
    ]


def test_no_topic_name_is_typed_in_code() -> None:
    typed = [
        f"{file.relative_to(ROOT)}:{line}: {text[:80]}"
        for file in outside_the_contract(".py")
        for line, text in literals(ast.parse(file.read_text("utf-8")))
        if TOPIC.search(text)
    ]
    assert not typed, "use the constants of balance_schemas.catalogue:\n" + "\n".join(typed)


@pytest.mark.parametrize("suffix", [".sql", ".yaml", ".yml", ".toml", ".sh", ".json", ".xml", ""])
def test_no_topic_name_is_typed_in_other_files(suffix: str) -> None:
    typed = [
        where
        for where in found(TOPIC, outside_the_contract(suffix))
        if not re.search(r":\d+: (--|#)", where)  # a comment may name what it is about
    ]
    assert not typed, "\n".join(typed)


def test_no_file_names_a_path_of_one_machine() -> None:
    named = found(MACHINE_PATH, committed())
    assert not named, "\n".join(named)


def test_no_file_names_a_package_host() -> None:
    named = found(PACKAGE_HOST, committed())
    assert not named, "\n".join(named)


def test_nothing_is_skipped() -> None:
    skipped = found(SKIP, [f for f in committed() if f.suffix in {".py", ".toml", ".cfg"}])
    assert not skipped, "\n".join(skipped)


@pytest.mark.parametrize(
    ("pattern", "caught", "free"),
    [
        (TOPIC, "balance.concentrators.packets.v1", "balance.v1.FindingChanged"),
        (TOPIC, "demo.balance.dead-letters.x.retry.v1", "balance_schemas.v1"),
        (MACHINE_PATH, 'open("/home/ada/x")', "https://example.org/work/x"),
        (MACHINE_PATH, "cd /work/x", "framework/work"),
        (PACKAGE_HOST, "https://pypi.org/simple", "a package"),
        (SKIP, "@pytest.mark.skipif(x)", "skipped"),
    ],
)
def test_the_patterns_catch_what_they_should(pattern: re.Pattern[str], caught: str, free: str) -> None:
    assert pattern.search(caught)
    assert not pattern.search(free)
