"""The kernel's words are the contract's symbols, in the same order: their position is the code in tables."""

from collections.abc import Iterator
from enum import StrEnum

import pytest
from balance_kernel import quantity
from balance_schemas import avsc


def enums(schema: avsc.Schema) -> Iterator[tuple[str, list[str]]]:
    """(name, symbols) of every enum in a schema."""
    if isinstance(schema, list):
        for branch in schema:
            yield from enums(branch)
    elif isinstance(schema, dict):
        if schema.get("type") == "enum":
            yield schema["name"], schema["symbols"]
        for part in (schema.get("fields", []), schema.get("type"), schema.get("items")):
            yield from enums(part)


SYMBOLS = {name: symbols for record in avsc.names() for name, symbols in enums(avsc.newest(record))}
WORDS = {
    name: kind
    for name, kind in vars(quantity).items()
    if isinstance(kind, type) and issubclass(kind, StrEnum) and list(kind)
}


def test_the_kernel_has_the_words_of_the_contract() -> None:
    assert {"Resource", "Unit", "Quality", "Role"} <= set(WORDS) & set(SYMBOLS)


@pytest.mark.parametrize("name", sorted(set(WORDS) & set(SYMBOLS)))
def test_a_word_has_the_symbols_of_the_contract_and_codes_by_position(name: str) -> None:
    assert [member.value for member in WORDS[name]] == SYMBOLS[name]
