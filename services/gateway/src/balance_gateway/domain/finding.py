"""What entities are found by: words of their ids and paths, as lexemes; and what asks for them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence

from balance_gateway.domain.kinds import MODULE, Entity

_APART = re.compile(r"[\W_]+")
_LONGEST_WORD = 300
_MOST_WORDS = 2_000
_MOST_ASKED = 10
_WHOLE_NUMBER = re.compile(r"\d{1,3}")
OF_MODULES = f"'#{MODULE.word}'"
"""Asks for modules."""


def folded(text: str) -> str:
    """Without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def words(entity: Entity) -> list[str]:
    """What an entity is found by: words of its ids, of its path and of what it names; =id, #kind, >place."""
    value = entity.value
    ids = [entity.name, *(value.get(name) for name in ("sp_id", "acc_id"))]
    ids += [meter["meter_number"] for meter in value.get("meters", ())]
    path = value.get("object_path") or []
    named = [channel["module_id"] for channel in value.get("channels", ())]
    named += [setting.get("concentrator_id") for setting in value.get("settings", ())]
    found = dict.fromkeys(f"={folded(each)}" for each in ids if each)
    found |= dict.fromkeys([f"#{entity.kind.word}", *(_place(path[: n + 1]) for n in range(len(path)))])
    for text in (*ids, *path, value.get("name"), *named):
        found |= dict.fromkeys(_words(folded(text or "")))
    return [word[:_LONGEST_WORD] for word in found][:_MOST_WORDS]


def asked(text: str) -> str | None:
    """Asks for what has all of these words, or words that begin so; None without any.

    A single letter and a short number, as of a house, are meant whole.
    """
    terms = list(dict.fromkeys(folded(text).split()))[:_MOST_ASKED]
    return " & ".join(map(_asked, terms)) or None


def asked_whole(text: str) -> str:
    """Asks for what has all of this for an id."""
    return _quoted(f"={folded(text.strip())}")


def asked_place(path: Sequence[str]) -> str:
    """Asks for what lies in the subtree of a path; for everything when it is empty."""
    return _quoted(_place(path)) if path else ""


def json_beginning(path: Sequence[str]) -> str:
    """What the JSON of every path in that subtree begins with; nothing when it is empty."""
    return json.dumps(list(path), ensure_ascii=False).removesuffix("]") if path else ""


def _place(path: Sequence[str]) -> str:
    return ">" + hashlib.sha256("\x1f".join(path).encode()).hexdigest()[:24]


def _words(text: str) -> Iterator[str]:
    yield from text.split()
    yield from filter(None, _APART.split(text))


def _asked(term: str) -> str:
    pieces = [piece for piece in _APART.split(term) if piece and piece != term]
    apart = " & ".join(map(_beginning, pieces))
    return f"({_beginning(term)} | ({apart}))" if apart else _beginning(term)


def _beginning(word: str) -> str:
    is_whole = len(word) == 1 or _WHOLE_NUMBER.fullmatch(word)
    return _quoted(word) if is_whole else f"{_quoted(word)}:*"


def _quoted(word: str) -> str:
    escaped = word[:_LONGEST_WORD].replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
