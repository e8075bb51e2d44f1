"""`python -m balance_grafana` writes the dashboards; with `--check` it says which differ and ends with 1."""

from __future__ import annotations

import sys

from balance_grafana import writing


def main(arguments: list[str]) -> int:
    """Exit code: 0, 1 when a file differs from its code, 2 when it was called wrongly."""
    if arguments not in ([], ["--check"]):
        print(f"expected nothing or --check, found {' '.join(arguments)}", file=sys.stderr)
        return 2
    stale = writing.stale()
    if arguments:
        for path in stale:
            print(f"{path.name} differs from its code: run python -m balance_grafana", file=sys.stderr)
        return bool(stale)
    writing.write()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
