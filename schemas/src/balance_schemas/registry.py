"""Schema ids from a registry that speaks Confluent's REST interface (Apicurio: `…/apis/ccompat/v7`).

`register_all` is for whoever sets an installation up; services only `resolve`, once at start, and keep the
ids in a file (`codec.save_ids`) for the day the registry is away.
"""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import stamina

from balance_schemas import avsc
from balance_schemas.catalogue import Catalogue

TIMEOUT_S = 10.0
ATTEMPTS = 6
COMPATIBILITY = "FULL_TRANSITIVE"

_MEDIA = "application/vnd.schemaregistry.v1+json"

Credentials = tuple[str, str]
"""(user name, password) of HTTP basic authentication."""


class RegistryError(RuntimeError):
    """The registry is away, or refuses. The message says which request and what it answered."""


def register_all(
    url: str, auth: Credentials | None, catalogue: Catalogue, prefix: str = ""
) -> dict[str, int]:
    """Register every released version of every record, oldest first; the ids, as `Codec` takes them.

    Subjects are the record's full name (RecordNameStrategy) and `<prefix><topic>-<full name>`
    (TopicRecordNameStrategy), each set to FULL_TRANSITIVE. To do it again changes nothing. Raises
    RegistryError, also when the registry finds a version incompatible.
    """
    registry = _Registry(url, auth)
    ids: dict[str, int] = {}
    for name in avsc.names():
        for subject in _subjects(name, catalogue, prefix):
            ids |= _register(registry, subject, name)
    return ids


def resolve(url: str, auth: Credentials | None = None) -> dict[str, int]:
    """The ids of all released versions of all records, registered before. Raises RegistryError."""
    registry = _Registry(url, auth)
    return {
        key: registry.ask("POST", f"/subjects/{quote(name, safe='')}", _body(schema))["id"]
        for name in avsc.names()
        for key, schema in _keyed_versions(name)
    }


def _subjects(name: str, catalogue: Catalogue, prefix: str) -> list[str]:
    topics = catalogue.topics.values()
    return [name, *(f"{prefix}{topic.name}-{name}" for topic in topics if name in topic.records)]


def _register(registry: "_Registry", subject: str, name: str) -> dict[str, int]:
    ids = {}
    path = quote(subject, safe="")
    for key, schema in _keyed_versions(name):
        if key in (
            name,
            f"{name}@2",
        ):  # a subject must exist before it can be told how to judge the next version
            registry.ask("PUT", f"/config/{path}", {"compatibility": COMPATIBILITY})
        ids[key] = registry.ask("POST", f"/subjects/{path}/versions", _body(schema))["id"]
    return ids


def _keyed_versions(name: str) -> Iterator[tuple[str, avsc.Schema]]:
    """(`<full name>@<n>`, schema) of each released version, then (`<full name>`, schema) of the last."""
    released = avsc.versions(name)
    for number, schema in released.items():
        yield f"{name}@{number}", schema
    yield name, released[max(released)]


def _body(schema: avsc.Schema) -> Mapping[str, str]:
    return {"schemaType": "AVRO", "schema": json.dumps(schema, ensure_ascii=False, separators=(",", ":"))}


class _Registry:
    def __init__(self, url: str, auth: Credentials | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise RegistryError(f"expected an http(s) address of the schema registry, found {url!r}")
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": _MEDIA, "Accept": f"{_MEDIA}, application/json"}
        if auth:
            token = base64.b64encode(":".join(auth).encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"

    def ask(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer. Away, slow, 5xx or a clash is tried again; what remains is a RegistryError."""
        request = urllib.request.Request(
            self._url + path, json.dumps(body).encode(), self._headers, method=method
        )
        try:
            for attempt in stamina.retry_context(on=_worth_another, attempts=ATTEMPTS, timeout=60):
                with attempt, urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                answered = error.read(2000).decode("utf-8", "replace")
            raise RegistryError(f"{method} {request.full_url}: answered {error.code} {answered}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RegistryError(f"{method} {request.full_url}: {type(error).__name__}: {error}") from error
        raise AssertionError("stamina neither returned nor raised")


def _worth_another(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        # Two who set the same compatibility at once: Apicurio looks, then creates, and refuses the second.
        at_once = error.code == 409 and "/config/" in str(error.url)
        return at_once or error.code >= 500 or error.code == 429
    return isinstance(error, OSError | http.client.HTTPException)
