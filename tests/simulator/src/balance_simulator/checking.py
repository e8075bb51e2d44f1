"""Reads mappings of a YAML file and notes every mistake instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

REQUIRED: Any = object()
"""Default of a field that must be there."""


@dataclass(frozen=True)
class Problem:
    """One mistake of a scenario: where it is, what was expected and found, and what to do about it."""

    where: str
    expected: str
    found: str
    do: str = ""

    def __str__(self) -> str:
        """One line a person can act on."""
        advice = f"; {self.do}" if self.do else ""
        return f"{self.where or 'the file'}: expected {self.expected}, found {self.found}{advice}"


class ScenarioError(ValueError):
    """A scenario is wrong. `problems` lists everything found, not only the first."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        """Keep all problems and show all of them."""
        lines = "\n".join(f"- {problem}" for problem in problems)
        super().__init__(f"{source} cannot be played:\n{lines}")
        self.problems = tuple(problems)


class Expected(ValueError):  # noqa: N818 - raised by parsers: "expected …"
    """Raised by a parser: what it expected, and what to do."""

    def __init__(self, expected: str, do: str = "") -> None:
        """Keep both."""
        super().__init__(expected)
        self.expected = expected
        self.do = do


class Problems(list[Problem]):
    """The mistakes found so far."""

    def note(self, where: str, expected: str, found: object, do: str = "") -> None:
        """Add one."""
        self.append(Problem(where, expected, _shown(found), do))

    def stop(self, source: str) -> None:
        """Raise ScenarioError when there is any."""
        if self:
            raise ScenarioError(source, self)


class Section:
    """One mapping of the file. A question that fails is noted, and its default (or None) goes on."""

    def __init__(self, data: object, where: str, problems: Problems) -> None:
        """Take a mapping; anything else is noted and taken as empty."""
        self.where = where
        self.problems = problems
        self._left: dict[str, Any] = {}
        if isinstance(data, dict):
            self._left = {str(key): value for key, value in data.items()}
        elif data is not None:
            problems.note(where, "a mapping of names to values", data)

    def take(self, key: str, parse: Callable[[Any], T], default: Any = REQUIRED) -> T:
        """The parsed value of a key. A parser raises Expected for a value it refuses."""
        where = f"{self.where}.{key}" if self.where else key
        if self._left.get(key) is None:
            self._left.pop(key, None)
            if default is REQUIRED:
                self.problems.note(where, "a value", "nothing")
                return None  # type: ignore[return-value]  # the scenario is refused before this is used
            return default  # type: ignore[no-any-return]
        value = self._left.pop(key)
        try:
            return parse(value)
        except Expected as error:
            self.problems.note(where, error.expected, value, error.do)
        return None if default is REQUIRED else default  # type: ignore[return-value]

    def section(self, key: str) -> Section:
        """The mapping under a key; empty when it is not there."""
        return Section(self._left.pop(key, None), f"{self.where}.{key}" if self.where else key, self.problems)

    def sections(self, key: str) -> list[Section]:
        """The mappings of the list under a key; one mapping counts as a list of one."""
        where = f"{self.where}.{key}" if self.where else key
        data = self._left.pop(key, None)
        if data is None:
            return []
        items = data if isinstance(data, list) else [data]
        return [Section(item, f"{where}[{i}]", self.problems) for i, item in enumerate(items)]

    def end(self, known: str) -> None:
        """Note every key that nobody asked for. `known` names those that exist."""
        for key, value in self._left.items():
            self.problems.note(
                f"{self.where}.{key}".lstrip("."), f"one of {known}", f"{key}: {_shown(value)}"
            )


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, str | Path | datetime | Exception) else repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def text(value: Any) -> str:
    """A word or number as text."""
    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
        return str(value).strip()
    raise Expected("a word")


def identifier(value: Any) -> str:
    """A name of 1 to 64 characters, as devices and usage points have."""
    name = text(value)
    if len(name) > 64:
        raise Expected("at most 64 characters")
    return name


def whole(lowest: int, highest: int) -> Callable[[Any], int]:
    """Parser of a whole number within bounds."""

    def parse(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise Expected(f"a whole number from {lowest} to {highest}")

    return parse


def number(lowest: float, highest: float) -> Callable[[Any], float]:
    """Parser of a number within bounds."""

    def parse(value: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and lowest <= value <= highest:
            return float(value)
        raise Expected(f"a number from {lowest:g} to {highest:g}")

    return parse


def one_of(*words: str) -> Callable[[Any], str]:
    """Parser of one of some words."""

    def parse(value: Any) -> str:
        if isinstance(value, str) and value.strip() in words:
            return value.strip()
        raise Expected(" or ".join(words))

    return parse


def yes_or_no(value: Any) -> bool:
    """A YAML boolean."""
    if isinstance(value, bool):
        return value
    raise Expected("true or false")


def words(value: Any) -> tuple[str, ...]:
    """A word or a list of words."""
    items = value if isinstance(value, list) else [value]
    return tuple(identifier(item) for item in items)
