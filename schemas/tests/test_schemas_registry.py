"""Registering and resolving against a registry that is slow to rise, refuses, or wants a password."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import pytest
import stamina
from balance_schemas import avsc, catalogue, codec, registry

NAMES = set(avsc.names())


class Registry(ThreadingHTTPServer):
    """A registry in memory that answers what `failing` returns instead, if it returns anything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: list[str] = []
        self.subjects: dict[str, list[str]] = {}
        self.compatibility: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.authorized_by: set[str | None] = set()
        self.failing: Callable[[], tuple[int, str] | None] = lambda: None

    @property
    def url(self) -> str:
        """Its address, as a setting gives it."""
        return f"http://127.0.0.1:{self.server_port}/apis/ccompat/v7/"

    def answer(self, method: str, path: str, body: dict[str, str]) -> tuple[int, object]:
        """What the real one answers."""
        subject = unquote(path.split("/")[5])
        if method == "PUT":
            if subject not in self.subjects:
                return 404, {"error_code": 40401}
            self.compatibility[subject] = body["compatibility"]
            return 200, body
        schema = body["schema"]
        if path.endswith("/versions"):
            self.schemas += [schema] if schema not in self.schemas else []
            self.subjects.setdefault(subject, []).append(schema)
        elif schema not in self.subjects.get(subject, []):
            return 404, {"error_code": 40403}
        return 200, {"id": self.schemas.index(schema) + 1}


class Handler(BaseHTTPRequestHandler):
    """HTTP to `Registry.answer`."""

    server: Registry

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.command, self.path))
        self.server.authorized_by.add(self.headers["Authorization"])
        status, answer = self.server.failing() or self.server.answer(self.command, self.path, body)
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = _answer  # noqa: N815 - the names http.server wants

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Registry]:
    with Registry() as running:
        thread = Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def test_all_records_are_registered_under_record_and_topic_and_judged_strictly(server: Registry) -> None:
    ids = registry.register_all(server.url, None, catalogue.load(), "demo.")
    assert set(ids) >= NAMES
    assert f"demo.{catalogue.READINGS}-balance.v1.ReadingDaysComputed" in server.subjects
    assert set(server.subjects) >= NAMES
    assert set(server.compatibility) == set(server.subjects)
    assert set(server.compatibility.values()) == {"FULL_TRANSITIVE"}
    codec.Codec(ids)


def test_registering_again_changes_nothing_and_resolving_gives_the_same(server: Registry) -> None:
    first = registry.register_all(server.url, None, catalogue.load())
    assert registry.register_all(server.url, None, catalogue.load()) == first
    assert registry.resolve(server.url) == first


def test_what_was_never_registered_does_not_resolve(server: Registry) -> None:
    with pytest.raises(registry.RegistryError, match="answered 404"):
        registry.resolve(server.url)
    assert len(server.asked) == 1, "a refusal is not asked again"


def test_a_registry_that_is_rising_is_asked_again(server: Registry) -> None:
    answers = iter([(503, "starting"), (500, "starting")])
    server.failing = lambda: next(answers, None)
    assert set(registry.register_all(server.url, None, catalogue.load())) >= NAMES


def test_another_who_sets_the_same_at_once_is_no_refusal(server: Registry) -> None:
    clashes = iter([(409, "A rule named 'COMPATIBILITY' already exists.")])
    server.failing = lambda: next(clashes, None) if server.asked[-1][0] == "PUT" else None
    assert set(registry.register_all(server.url, None, catalogue.load())) >= NAMES


def test_an_incompatible_version_is_refused_at_once(server: Registry) -> None:
    server.failing = lambda: (409, "incompatible")
    with pytest.raises(registry.RegistryError, match="answered 409 incompatible"):
        registry.register_all(server.url, None, catalogue.load())
    assert len(server.asked) == 1


def test_a_registry_that_stays_broken_is_told_with_its_answer(server: Registry) -> None:
    server.failing = lambda: (500, "no database")
    with pytest.raises(registry.RegistryError, match="answered 500 no database"):
        registry.resolve(server.url)
    assert len(server.asked) == 3


def test_an_answer_that_is_not_json_is_told(server: Registry) -> None:
    server.failing = lambda: (200, "<html>")
    with pytest.raises(registry.RegistryError, match="JSONDecodeError"):
        registry.resolve(server.url)


def test_a_password_is_sent(server: Registry) -> None:
    registry.register_all(server.url, ("ada", "l:ovelace"), catalogue.load())
    assert server.authorized_by == {"Basic YWRhOmw6b3ZlbGFjZQ=="}


def test_nobody_there_is_told_with_the_address(server: Registry) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(registry.RegistryError, match=r"subjects/balance.v1.*refused"):
        registry.resolve(url)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(registry.RegistryError, match="expected an http"):
        registry.resolve("localhost:8080")
