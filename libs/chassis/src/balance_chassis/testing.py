"""Pytest plugin: the real broker, registry and database, and installations of one's own on them.

A test that asks for these is marked `stack`. What it needs is started when it does not run; if that fails,
so does the test: nothing is skipped. The launcher is looked up by name, for it is no part of what is shipped.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from importlib import import_module
from secrets import token_hex
from typing import Any, Protocol

import pytest

from balance_chassis.settings import Settings


class Stack(Protocol):
    """Addresses of what runs."""

    bootstrap_servers: str
    registry_url: str
    postgres_admin_dsn: str


class Installation(Protocol):
    """A database and a topic prefix: empty, with topics created and schemas registered."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def dsn(self) -> str:
        """DSN of its database."""

    def environment(self) -> dict[str, str]:
        """The variables of its processes."""

    def settings(self) -> Settings:
        """What its processes read from these."""

    def migrate(self) -> None:
        """Create the schemas of all services."""

    def topics_apply(self, only: Collection[str] | None = None) -> None:
        """Create the topics and register the schemas."""

    def drop(self) -> None:
        """Remove all of it."""


class MqttBroker(Protocol):
    """A Mosquitto of one's own."""

    @property
    def port(self) -> int:
        """Port on 127.0.0.1."""

    @property
    def daemon(self) -> Any:
        """Its process."""

    def environment(self) -> dict[str, str]:
        """The variables by which an edge finds it."""

    def admit(self, concentrator_id: str) -> str:
        """The password of a concentrator that is let in."""

    def start(self) -> None:
        """Start it, again on its data."""

    def wait(self) -> None:
        """Return when it serves."""

    def stop(self) -> bool:
        """Stop it cleanly."""


NewInstallation = Callable[..., Installation]


@pytest.fixture(scope="session")
def stack() -> Any:
    """The local stack, started when it does not run."""
    return import_module("balance_local.stack").ensure()


@pytest.fixture(scope="session")
def new_installation(stack: Stack) -> Iterator[NewInstallation]:  # noqa: ARG001 - started first
    """Makes installations (`zone=…, day_start_hour=…, clock=…`), dropped after the session.

    `topics` names those that are used, none where only the database is; all are made when it is not given.
    """
    create = import_module("balance_local.installation").create
    with ExitStack() as dropping:

        def new(topics: Collection[str] | None = None, **described: Any) -> Installation:
            installation: Installation = create(f"test_{os.getpid()}_{token_hex(3)}", **described)
            dropping.callback(installation.drop)
            if topics is None or topics:
                installation.topics_apply(topics)
            return installation

        yield new


@pytest.fixture(scope="module")
def installation(new_installation: NewInstallation) -> Installation:
    """A database for the tests of one module. `migrate()` makes the schemas of the services."""
    return new_installation(topics=())


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MqttBroker]:
    """An MQTT broker for the tests of one module, with no concentrator admitted."""
    module = import_module("balance_local.mosquitto")
    broker: MqttBroker = module.Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    broker.wait()
    yield broker
    broker.stop()
