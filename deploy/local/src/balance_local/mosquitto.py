"""Mosquitto as an ordinary process: the MQTT broker between concentrators and the edge.

Every concentrator has a password of its own and may publish to and read its own topics alone; its user name
is its id. What clients keep here while they are away outlives a restart.
"""

import getpass
import os
import secrets
import shutil
import socket
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP

from balance_local import ports
from balance_local.daemon import Daemon, NotStartedError

STARTS_WITHIN_S = 20.0
EDGE = "edge"
"""User name of the edge."""

_CONFIGURATION = """\
listener {port} 127.0.0.1
{tls}
user {user}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/access
persistence true
persistence_location {folder}/data/
autosave_interval 60
persistent_client_expiration 14d
retain_available false
max_inflight_messages 200
max_queued_messages 10000
max_packet_size 4194304
log_dest stderr
"""

_ACCESS = f"""\
user {EDGE}
topic read balance/v1/concentrators/+/packets
topic write balance/v1/concentrators/+/receipts

pattern write balance/v1/concentrators/%u/packets
pattern read balance/v1/concentrators/%u/receipts
"""


@dataclass(frozen=True)
class Certificate:
    """PEM files of a listener: who signed it, itself, its key."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Mosquitto:
    """The MQTT broker whose data and log lie in `<root>/mosquitto`; by TLS if there is a certificate."""

    root: Path
    certificate: Certificate | None = None

    @property
    def daemon(self) -> Daemon:
        """Its process."""
        return Daemon("Mosquitto", self.root / "mosquitto")

    @property
    def port(self) -> int:
        """Port on 127.0.0.1. Raises NotStartedError when it was never started."""
        port = ports.recorded_port(self.root, "mosquitto")
        if port is None:
            raise NotStartedError("Mosquitto was never started here; run `balance stack up --mqtt`")
        return port

    def environment(self) -> dict[str, str]:
        """The variables by which the edge finds it."""
        scheme, host = ("mqtts", "localhost") if self.certificate else ("mqtt", "127.0.0.1")
        found = {
            "BALANCE_INGEST_MQTT_URL": f"{scheme}://{host}:{self.port}",
            "BALANCE_INGEST_MQTT_USERNAME": EDGE,
            "BALANCE_INGEST_MQTT_PASSWORD_FILE": str(self._folder / "edge.password"),
        }
        if self.certificate:
            found["BALANCE_INGEST_MQTT_CA_FILE"] = str(self.certificate.authority)
        return found

    def is_up(self) -> bool:
        """Whether it runs and listens."""
        port = ports.recorded_port(self.root, "mosquitto")
        return self.daemon.process() is not None and port is not None and self._answers(port)

    def start(self) -> None:
        """Start it, or start it again on its data; `wait` tells when it serves."""
        folder = self._folder
        (folder / "data").mkdir(parents=True, exist_ok=True)
        if not (folder / "passwords").exists():
            _write_secret(folder / "passwords", "")
            _write_secret(folder / "edge.password", self._admitted(EDGE))
        _write_secret(folder / "access", _ACCESS)
        text = _CONFIGURATION.format(
            port=ports.choose(self.root, "mosquitto"), tls=self._tls(), user=getpass.getuser(), folder=folder
        )
        (folder / "mosquitto.conf").write_text(text)
        self.daemon.start([_program("mosquitto"), "-c", folder / "mosquitto.conf"])

    def wait(self) -> None:
        """Return when it serves. Raises NotStartedError."""
        self.daemon.wait(self.is_up, STARTS_WITHIN_S)

    def stop(self) -> bool:
        """Stop it cleanly; whether it ran."""
        return self.daemon.stop()

    def admit(self, concentrator_id: str) -> str:
        """Let a concentrator in, or give it another password; gives the password, which is kept as a hash."""
        password = self._admitted(concentrator_id)
        process = self.daemon.process()
        if process is not None:
            self.wait()  # the signal would end one that is not yet serving
            process.send_signal(SIGHUP)
        return password

    @property
    def _folder(self) -> Path:
        return self.daemon.folder

    def _admitted(self, name: str) -> str:
        if not name or set(name) & set("/+#:\n"):
            raise NotStartedError(f"expected a concentrator's id without / + # :, found {name!r}")
        password = secrets.token_urlsafe(24)
        subprocess.run(
            [_program("mosquitto_passwd"), "-b", self._folder / "passwords", name, password],
            check=True,
            capture_output=True,
        )
        return password

    def _tls(self) -> str:
        if self.certificate is None:
            return ""
        return (
            f"cafile {self.certificate.authority}\n"
            f"certfile {self.certificate.certificate}\n"
            f"keyfile {self.certificate.key}\n"
            "tls_version tlsv1.2"
        )

    def _answers(self, port: int) -> bool:
        """Whether it does something with a connection: the kernel takes one before it serves."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as plain:
            if self.certificate is None:
                plain.shutdown(socket.SHUT_WR)
                return plain.recv(1) == b""
            # A connection that never shakes hands would leave a complaint in the log.
            context = ssl.create_default_context(cafile=self.certificate.authority)
            context.wrap_socket(plain, server_hostname="localhost").close()
            return True
        return False


def _program(name: str) -> str:
    # Debian puts the broker where only root's PATH leads.
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise NotStartedError(f"{name} is not there: install Debian's package mosquitto, or run `make setup`")
    return found


def _write_secret(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
