"""What can be done to the register: import, change, restore. Each is one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from balance_kernel.calendar import Calendar

from balance_gateway.domain.changes import Author, Change, Standing, differences, outside
from balance_gateway.domain.checking import problems_of
from balance_gateway.domain.kinds import BY_WORD, Entity, Kind, Value
from balance_gateway.domain.problems import Problem, RefusedError
from balance_gateway.domain.reading import Reader
from balance_gateway.ports import Key, Register, Upload, Uploads, Work

Readers = Callable[[Kind], Reader]
"""A reader of each kind."""
LASTING = timedelta(hours=1)
"""How long a file is kept for who gave it to decide."""


@dataclass(frozen=True, slots=True)
class Written:
    """An entity as somebody wrote it."""

    kind: Kind
    fields: Any


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found: changes that were made, or would be, and how many entities stand so already."""

    changes: Sequence[Change]
    unchanged: int
    problems: Sequence[Problem] = ()


class Document(Protocol):
    """What a file holds."""

    @property
    def written(self) -> Sequence[Written]:
        """Its entities."""

    def told(self, problem: Problem) -> str:
        """A problem with the place in the file where it can be mended."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file would change, or did; `problems` with their places in it.

    `token` names the file where it is kept to be decided.
    """

    file_name: str
    found: Imported
    problems: Sequence[str] = ()
    token: str | None = None


class ConflictError(Exception):
    """An entity was changed by somebody else since it was read."""


class NothingThereError(LookupError):
    """There is no such entity, or no such change of it."""


class Registering:
    """Changes the register."""

    def __init__(self, register: Register, readers: Readers, calendar: Calendar) -> None:
        """Take where it stands, how entities are read, and when days start."""
        self._register = register
        self._readers = readers
        self._calendar = calendar

    def import_all(
        self,
        written: Sequence[Written],
        author: Author,
        *,
        accepted: Collection[str] = (),
        dry: bool = False,
    ) -> Imported:
        """Let all of these entities stand as written; nothing of them if anything is wrong with one.

        What differs in nothing is no change. `dry` writes nothing. Problems are given, not raised.
        """
        with self._register.work() as work:
            entities, standing, problems = self._read(written, work)
            if not problems:
                problems = problems_of(entities, work.known(entities), self._calendar, accepted)
            if problems:
                return Imported((), 0, problems)
            changes = _changes(entities, standing)
            if problems := _outside(changes, author):
                return Imported((), 0, problems)
            if not dry:
                work.write(changes, author)
            return Imported(changes, len(entities) - len(changes))

    def change(self, written: Written, author: Author, version: int | None) -> int:
        """Let an entity stand as written, if it is of that version still (None: it is new); its version now.

        Raises RefusedError with all that is wrong, ConflictError, NothingThereError.
        """
        with self._register.work() as work:
            entities, standing, problems = self._read([written], work)
            if problems:
                raise RefusedError(problems)
            (entity,) = entities
            return self._let_stand(entity, standing.get(entity.key), author, version, work)

    def restore(self, number: int, author: Author, version: int) -> int:
        """Let an entity stand as a change of the log had made it, as a new change; its version now.

        Raises as `change` does.
        """
        with self._register.work() as work:
            logged = work.logged(number)
            if logged is None:
                raise NothingThereError(f"there is no change no. {number}")
            # Read again: its record may have got fields since.
            kind = BY_WORD[logged.kind]
            entity, problems = self._readers(kind).read(logged.after, f"{kind.word}/{logged.name}", None)
            if entity is None:
                raise RefusedError(problems)
            standing = work.standing([entity.key]).get(entity.key)
            return self._let_stand(entity, standing, author, version, work, number)

    def _let_stand(
        self,
        entity: Entity,
        standing: Standing | None,
        author: Author,
        version: int | None,
        work: Work,
        restored: int | None = None,
    ) -> int:
        found = standing.version if standing else None
        if found is None and version is not None:
            raise NothingThereError(f"there is no {entity.subject}")
        if found != version:
            was = f"version {version}" if version is not None else "a new one"
            raise ConflictError(f"{entity.subject}: expected {was}, found version {found}: read it again")
        if problems := problems_of([entity], work.known([entity]), self._calendar):
            raise RefusedError(problems)
        changes = _changes([entity], {} if standing is None else {entity.key: standing}, restored)
        if problems := _outside(changes, author):
            raise RefusedError(problems)
        work.write(changes, author)
        return changes[0].version if changes else found or 0

    def _read(
        self, written: Sequence[Written], work: Work
    ) -> tuple[list[Entity], Mapping[Key, Standing], list[Problem]]:
        standing = work.standing({key for one in written if (key := _key_of(one)) is not None})
        readers = {one.kind.word: self._readers(one.kind) for one in written}
        entities: list[Entity] = []
        problems: list[Problem] = []
        seen: dict[Key, int] = {}
        for number, one in enumerate(written, 1):
            key = _key_of(one)
            subject = f"{one.kind.word} no. {number}" if key is None else "/".join(key)
            if key is not None and seen.setdefault(key, number) != number:
                problems.append(Problem(subject, (), f"expected each once, found it again at no. {number}"))
                continue
            before = standing.get(key) if key else None
            entity, wrong = readers[one.kind.word].read(one.fields, subject, before.value if before else None)
            problems += wrong
            if entity is not None:
                entities.append(entity)
        return entities, standing, problems


class Importing:
    """Proposes imports and does them."""

    def __init__(
        self, registering: Registering, uploads: Uploads, read: Callable[[str, bytes], Document]
    ) -> None:
        """Take what changes the register, where files are kept, and how they are read."""
        self._registering = registering
        self._uploads = uploads
        self._read = read

    def propose(self, file_name: str, content: bytes, author: Author) -> Proposal:
        """What a file would change; it is kept for its author if nothing is wrong with it.

        What is wrong with the file itself is raised as its reader does.
        """
        proposal = self._import(file_name, content, author, dry=True)
        if proposal.problems or not proposal.found.changes:
            return proposal
        token = secrets.token_urlsafe(24)
        self._uploads.keep(token, author.name, Upload(file_name, _digest(content), content), LASTING)
        return Proposal(file_name, proposal.found, token=token)

    def do(self, token: str, author: Author) -> Proposal:
        """Let a file that was proposed be imported, whatever stands by now; problems as they then are.

        Raises NothingThereError when it is not kept any more, or was somebody else's.
        """
        upload = self._uploads.kept(token, author.name)
        if upload is None or upload.digest != _digest(upload.content):
            raise NothingThereError("the file is kept no more: give it again")
        proposal = self._import(upload.file_name, upload.content, author, dry=False)
        if not proposal.problems:
            self._uploads.drop(token)
        return proposal

    def _import(self, file_name: str, content: bytes, author: Author, *, dry: bool) -> Proposal:
        document = self._read(file_name, content)
        found = self._registering.import_all(document.written, author, dry=dry)
        return Proposal(file_name, found, [document.told(problem) for problem in found.problems])


def _key_of(written: Written) -> Key | None:
    """Kind and id, if it says a usable one."""
    fields = written.fields
    name = fields.get(written.kind.id_field) if isinstance(fields, Mapping) else None
    return (written.kind.word, name.strip()) if isinstance(name, str) and name.strip() else None


def _outside(changes: Sequence[Change], author: Author) -> list[Problem]:
    return [problem for change in changes for problem in outside(change, author.subtree)]


def _changes(
    entities: Sequence[Entity], standing: Mapping[Key, Standing], restored: int | None = None
) -> list[Change]:
    return [
        Change(entity, before, restored)
        for entity in entities
        if (before := standing.get(entity.key)) is None or _differs(before.value, entity.value)
    ]


def _differs(before: Value, after: Value) -> bool:
    """A field that is not there is as one without a value: the record may have got it since."""
    return before != after and any(differences(before, after))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
