"""What the handlers need of the world.

All methods of one `Work` are one transaction, and only one is under way at a time: what is checked stands
until it is written. Errors of the database come through as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from balance_gateway.domain.changes import Author, Change, Standing
from balance_gateway.domain.checking import Known
from balance_gateway.domain.kinds import Entity, Value

Key = tuple[str, str]
"""Word of a kind, and id."""


class Logged(NamedTuple):
    """A change as it was logged: of which entity, and what it was made."""

    kind: str
    name: str
    after: Value


class Work(Protocol):
    """One transaction on the register."""

    def standing(self, keys: Collection[Key]) -> Mapping[Key, Standing]:
        """Those of these entities that stand."""

    def known(self, entities: Sequence[Entity]) -> Known:
        """What stands of what these entities name or meet."""

    def logged(self, number: int) -> Logged | None:
        """A change by its number in the log."""

    def write(self, changes: Sequence[Change], author: Author) -> Sequence[int]:
        """Let the changes stand, log them, and name them to the publisher; their numbers in the log."""


class Register(Protocol):
    """The asset register."""

    def work(self) -> AbstractContextManager[Work]:
        """A transaction: ended well it stands, with an error nothing of it does."""


class Upload(NamedTuple):
    """A file whose import was proposed; SHA-256 of its content."""

    file_name: str
    digest: bytes
    content: bytes


class Uploads(Protocol):
    """Files between a proposed import and its decision."""

    def keep(self, token: str, author: str, upload: Upload, lasting: timedelta) -> None:
        """Keep a file for its author, so long."""

    def kept(self, token: str, author: str) -> Upload | None:
        """The file of that token, if it is that author's and its time is not over."""

    def drop(self, token: str) -> None:
        """Delete a file."""


class Reads(Protocol):
    """What is read for pages."""

    def rows(self, name: str, /, **values: Any) -> Sequence[Mapping[str, Any]]:
        """All rows of a query by its name."""

    def row(self, name: str, /, **values: Any) -> Mapping[str, Any] | None:
        """The first row, None without one."""
