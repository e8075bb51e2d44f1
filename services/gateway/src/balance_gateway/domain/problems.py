"""What is wrong with an entity as it was written, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
"""Where in an entity: names of fields and positions in lists, from 0."""
_FOUND_LENGTH = 60


class Problem(NamedTuple):
    """What is wrong, at which place of which entity; `words` say what was expected and what was found."""

    subject: str
    path: Path
    words: str

    @property
    def where(self) -> str:
        """Subject and path as one text: usage-point/UP-1.meters[1].q_max. Positions count from 1."""
        parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return self.subject + "".join(parts)

    def __str__(self) -> str:
        """Place and words."""
        return f"{self.where}: {self.words}"


class RefusedError(ValueError):
    """What was written is wrong, and nothing of it was taken. `problems` has all that is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep all problems and show all of them."""
        super().__init__("\n".join(f"- {problem}" for problem in problems))
        self.problems = tuple(problems)


def expected(what: str, found: Any) -> str:
    """`expected what, found …`, as JSON would write it and not too long."""
    return f"expected {what}, found {shown(found)}"


def shown(value: Any) -> str:
    """A value as people write it: no quotes of Python, no None."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "fields"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return (text if len(text) <= _FOUND_LENGTH else text[:_FOUND_LENGTH] + "…") or "nothing"
