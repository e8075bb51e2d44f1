"""`python -m balance_schemas check | release | generate`: what a change of the contract needs."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from balance_schemas import asyncapi, avsc, catalogue, compatibility, topics_page

MEMBER = Path(__file__).resolve().parents[2]
DOCS = MEMBER.parent / "docs"
GENERATED: Mapping[str, Callable[[], str]] = {"asyncapi.yaml": asyncapi.text, "topics.md": topics_page.text}
"""What `generate` writes into `docs/`, and a test compares with what lies there."""


def check(records: Path) -> int:
    """Say every error of catalogue and records; 1 when there is one."""
    try:
        catalogue.load()
        errors = compatibility.check(records)
    except catalogue.CatalogueError as error:
        errors = [str(error), *compatibility.check(records)]
    print("\n".join(errors) or "every record is compatible both ways with every version of it released")
    return 1 if errors else 0


def release(records: Path) -> int:
    """Freeze what changed as the next version; 1 when a change is incompatible."""
    try:
        written = compatibility.release(records)
    except ValueError as error:
        print(error)
        return 1
    print("\n".join(f"released {path}" for path in written) or "nothing changed since the last release")
    return 0


def generate(docs: Path) -> int:
    """Write the generated pages."""
    for name, text in GENERATED.items():
        (docs / name).write_text(text(), "utf-8")
        print(f"wrote {docs / name}")
    return 0


def main() -> int:
    """Choose by the command line."""
    parser = argparse.ArgumentParser(prog="balance_schemas", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("check", "release"):
        command = commands.add_parser(name)
        command.add_argument("--records", type=Path, default=Path(str(avsc.RECORDS)))
    commands.add_parser("generate").add_argument("--docs", type=Path, default=DOCS)
    arguments = parser.parse_args()
    if arguments.command == "generate":
        return generate(arguments.docs)
    return (check if arguments.command == "check" else release)(arguments.records)


if __name__ == "__main__":
    sys.exit(main())
