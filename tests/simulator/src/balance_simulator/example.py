"""The scenario that people start from."""

from importlib.resources import files


def text() -> str:
    """A commented scenario for a CSV `my.csv` with a column `common` and one a flat."""
    return (files("balance_simulator") / "example.yaml").read_text("utf-8")
