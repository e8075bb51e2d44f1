"""The catalogue as a page to read: `docs/topics.md`."""

from collections.abc import Iterator

from balance_schemas import avsc, catalogue

_HEAD = """\
# Topics and records

Generated from the catalogue by `python -m balance_schemas generate`; the machine's form is
[asyncapi.yaml](asyncapi.yaml). Names are without the installation's prefix. Values are Avro in Confluent
framing; whatever has a `version`: keep the greatest, never merge.
"""


def text() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_topics(), *(line for name in avsc.names() for line in _record(name))]) + "\n"


def _topics() -> Iterator[str]:
    yield "| topic | what | written by | read by (group) | key | kept |"
    yield "|---|---|---|---|---|---|"
    for topic in catalogue.load().topics.values():
        records = ", ".join(f"[{r.split('.')[-1]}](#{r.replace('.', '').lower()})" for r in topic.records)
        groups = ", ".join(c.group for c in topic.consumers) or "–"
        kept = "newest of each key" if topic.compacted else f"{topic.retention_days} days"
        cells = (f"`{topic.name}`", f"{topic.summary} {records}", topic.owner, groups, topic.key, kept)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        f"Each group has a dead-letter topic, `{catalogue.dead_letters('<group>')}`, and a topic by which "
        f"dead letters return to it, `{catalogue.dead_letters_retry('<group>')}`; "
        f"both kept {catalogue.MAX_RETENTION_DAYS} days."
    )


def _record(name: str) -> Iterator[str]:
    schema = avsc.newest(name)
    yield f"\n## {name}\n"
    yield f"{schema['doc']}\n"
    yield "| field | type | |"
    yield "|---|---|---|"
    yield from _fields(schema, "")


def _fields(schema: avsc.Schema, path: str) -> Iterator[str]:
    for field in schema["fields"]:
        where = f"{path}{field['name']}"
        yield f"| `{where}` | {_type(field['type'])} | {field['doc']} |"
        for record in _records_in(field["type"]):
            yield from _fields(record, where + ("[]." if _is_array(field["type"]) else "."))


def _is_array(schema: avsc.Schema) -> bool:
    return isinstance(schema, dict) and schema["type"] == "array"


def _records_in(schema: avsc.Schema) -> Iterator[avsc.Schema]:
    """Records defined here (not those referred to by name), below arrays and unions."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _records_in(branch)
    elif _is_array(schema):
        yield from _records_in(schema["items"])
    elif isinstance(schema, dict) and schema["type"] == "record":
        yield schema


def _type(schema: avsc.Schema) -> str:
    if isinstance(schema, list):
        return " or ".join(_type(branch) for branch in reversed(schema))
    if isinstance(schema, str):
        return schema
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "enum":
        return " ".join(f"`{symbol}`" for symbol in schema["symbols"])
    if schema["type"] == "record":
        return str(schema["name"])
    return "instant, UTC ms" if schema.get("logicalType") else str(schema["type"])
