"""The real stack, on a data root of its own: started once, reused, recovered, stopped."""

import asyncio
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from balance_local import ports, stack
from balance_local.broker import Broker
from balance_local.daemon import Daemon
from balance_local.database import Database
from balance_local.registry import SchemaRegistry
from balance_local.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("local-root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALANCE_LOCAL_ROOT", str(folder))
        for name in stack.GIVEN:
            patch.delenv(name, raising=False)
        yield folder
        stack.down()
        data = Database(folder).folder
        shutil.rmtree(data if data.parent == folder else data.parent)


@pytest.fixture
def up(root: Path) -> Stack:
    assert root.is_dir()
    return stack.ensure()


def daemons(root: Path) -> list[Daemon]:
    return [Broker(root).daemon, Database(root).daemon, SchemaRegistry(root).daemon]


def pids(root: Path) -> list[int]:
    return [process.pid for daemon in daemons(root) if (process := daemon.process())]


def kill(daemon: Daemon) -> None:
    process = daemon.process()
    assert process is not None
    process.kill()
    process.wait(20)


def topics(servers: str, create: str | None = None) -> list[str]:
    async def ask() -> list[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
        try:
            if create:
                await admin.create_topics([NewTopic(create, 1, 1)])
            return list(await admin.list_topics())
        finally:
            await admin.close()

    return asyncio.run(ask())


def test_a_cluster_id_may_begin_with_a_hyphen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=0xF8 << 120))
    broker = Broker(tmp_path)
    try:
        broker.start()
        broker.wait()
        assert "cluster.id=-" in (broker.daemon.folder / "data" / "meta.properties").read_text()
    finally:
        broker.stop()


def test_commands_at_the_same_time_start_it_once(root: Path) -> None:
    command = [sys.executable, "-c", "from balance_local import stack; print(stack.ensure())"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=180)[0] for process in both]
    assert answers[0] == answers[1] != ""
    assert len(pids(root)) == 3


def test_up_twice_reuses(root: Path, up: Stack) -> None:
    before = pids(root)
    assert len(before) == 3
    assert stack.ensure() == up
    assert pids(root) == before


def test_a_killed_broker_is_back_with_its_topics(root: Path, up: Stack) -> None:
    topics(up.bootstrap_servers, create="kept")
    database = Database(root).daemon.process()
    kill(Broker(root).daemon)
    again = stack.ensure()
    assert again == up
    assert "kept" in topics(again.bootstrap_servers)
    assert Database(root).daemon.process() == database


def test_a_killed_database_is_back_with_its_rows(root: Path, up: Stack) -> None:
    with psycopg.connect(up.postgres_admin_dsn) as connection:
        connection.execute("create table kept as select 42 as answer")
    kill(Database(root).daemon)
    # The pid it left behind is somebody else's by now.
    pid_file = Database(root).folder / "data" / "postmaster.pid"
    pid_file.write_text(
        pid_file.read_text().replace(pid_file.read_text().split()[0], str(psutil.Process().pid), 1)
    )
    with psycopg.connect(stack.ensure().postgres_admin_dsn) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_killed_registry_is_back(root: Path, up: Stack) -> None:
    kill(SchemaRegistry(root).daemon)
    assert stack.running() is None
    assert stack.ensure() == up
    assert stack.running() == up


def test_a_taken_port_is_replaced(root: Path, up: Stack) -> None:
    Broker(root).stop()
    port = ports.recorded_port(root, "kafka")
    assert port is not None
    with closing(socket.create_server(("127.0.0.1", port))):
        again = stack.ensure()
    assert again.bootstrap_servers != up.bootstrap_servers
    assert "kept" in topics(again.bootstrap_servers)


def test_a_broker_that_cannot_start_says_why(root: Path, up: Stack) -> None:
    assert up == stack.running()
    Broker(root).stop()
    identity = root / "kafka" / "data" / "meta.properties"
    kept = identity.read_text()
    identity.write_text(kept.replace("node.id=1", "node.id=7"))
    try:
        with pytest.raises(RuntimeError, match=r"Apache Kafka ended while starting(.|\n)*node.id"):
            stack.ensure()
    finally:
        identity.write_text(kept)


def test_down_stops_everything(root: Path, up: Stack) -> None:
    running = [psutil.Process(pid) for pid in pids(root)]
    stack.down()
    assert up.bootstrap_servers
    assert not any(process.is_running() for process in running)
    assert pids(root) == []
    assert stack.running() is None
    names = ("kafka", "kafka-controller", "postgres", "registry")
    assert all(ports.is_free(port) for name in names if (port := ports.recorded_port(root, name)))
