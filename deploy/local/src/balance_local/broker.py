"""Apache Kafka as an ordinary process: one node, broker and controller in one."""

import asyncio
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from balance_local import java, ports
from balance_local.daemon import Daemon, NotStartedError
from balance_local.paths import PARTS

STARTS_WITHIN_S = 60.0

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
log.cleaner.dedupe.buffer.size=8388608
log.index.size.max.bytes=1048576
# A deleted topic frees its files at once.
file.delete.delay.ms=1000
# Else a killed broker takes 13 s and more to come back.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

_LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c{1})%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


@dataclass(frozen=True)
class Broker:
    """The broker whose data and log lie in `<root>/kafka`."""

    root: Path

    @property
    def daemon(self) -> Daemon:
        """Its process."""
        return Daemon("Apache Kafka", self.root / "kafka")

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients. Raises NotStartedError when it was never started."""
        port = ports.recorded_port(self.root, "kafka")
        if port is None:
            raise NotStartedError("Apache Kafka was never started here; run `balance up`")
        return f"127.0.0.1:{port}"

    def is_up(self) -> bool:
        """Whether it runs and listens."""
        port = ports.recorded_port(self.root, "kafka")
        return self.daemon.process() is not None and port is not None and ports.answers(port)

    def start(self) -> None:
        """Start it; `wait` tells when it serves."""
        folder = self.daemon.folder
        folder.mkdir(parents=True, exist_ok=True)
        port, controller = ports.choose(self.root, "kafka"), ports.choose(self.root, "kafka-controller")
        properties, logging = folder / "server.properties", folder / "log4j2.properties"
        properties.write_text(_PROPERTIES.format(port=port, controller=controller, data=folder / "data"))
        logging.write_text(_LOGGING)
        classpath = ["-cp", f"{PARTS / 'kafka'}/*", f"-Dlog4j2.configurationFile={logging}"]
        if not (folder / "data" / "meta.properties").exists():
            self._format(classpath, properties)
        archive = java.archive_flags("kafka", folder)
        self.daemon.start(["java", *java.FLAGS, *archive, *classpath, "kafka.Kafka", properties])

    def wait(self) -> None:
        """Return when it serves consumer groups. Raises NotStartedError."""
        self.daemon.wait(self.is_up, STARTS_WITHIN_S)
        # A fresh broker answers metadata before its group coordinator is ready.
        self.daemon.wait(lambda: asyncio.run(_coordinates(self.bootstrap_servers)), STARTS_WITHIN_S)

    def stop(self) -> bool:
        """Stop it cleanly; whether it ran."""
        stopped = self.daemon.stop()
        java.keep_archive("kafka", self.daemon.folder)
        return stopped

    def _format(self, classpath: list[str], properties: Path) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        tool = [
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            f"--cluster-id={cluster_id}",  # one in 64 begins with a hyphen, and is no argument by itself
            f"--config={properties}",
        ]
        done = subprocess.run(["java", *java.FLAGS, *classpath, *tool], capture_output=True, text=True)
        if done.returncode:
            raise NotStartedError(f"Apache Kafka's folder was not formatted.\n{done.stdout}{done.stderr}")


async def _coordinates(bootstrap_servers: str) -> bool:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id="balance-warm-up")
    try:
        await consumer.start()
        async with asyncio.timeout(10):
            await consumer.committed(TopicPartition("balance-warm-up", 0))
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await consumer.stop()
    return True
