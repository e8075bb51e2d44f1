"""Apicurio's schema registry as an ordinary process, with its data in the stack's PostgreSQL."""

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from balance_local import java, ports
from balance_local.daemon import Daemon, NotStartedError
from balance_local.database import Database
from balance_local.paths import PARTS

STARTS_WITHIN_S = 120.0
DATABASE = "registry"


@dataclass(frozen=True)
class SchemaRegistry:
    """The registry whose log lies in `<root>/registry`."""

    root: Path

    @property
    def daemon(self) -> Daemon:
        """Its process."""
        return Daemon("the schema registry", self.root / "registry")

    @property
    def url(self) -> str:
        """Its Confluent-compatible interface. Raises NotStartedError when it was never started."""
        port = ports.recorded_port(self.root, "registry")
        if port is None:
            raise NotStartedError("the schema registry was never started here; run `balance up`")
        return f"http://127.0.0.1:{port}/apis/ccompat/v7"

    def is_up(self) -> bool:
        """Whether it runs and answers."""
        if self.daemon.process() is None:
            return False
        try:
            with urllib.request.urlopen(f"{self.url}/config", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False

    def start(self) -> None:
        """Start it on this root's PostgreSQL, which must answer; `wait` tells when it serves."""
        admin_dsn = Database(self.root).admin_dsn
        folder = self.daemon.folder
        folder.mkdir(parents=True, exist_ok=True)
        _create_database(admin_dsn)
        settings = _settings(admin_dsn, ports.choose(self.root, "registry"))
        jar = PARTS / "registry" / "apicurio-registry-app-3.0.9-runner.jar"
        archive = java.archive_flags("registry", folder)
        self.daemon.start(["java", *java.FLAGS, *archive, "-jar", jar], settings)

    def wait(self) -> None:
        """Return when it serves. Raises NotStartedError."""
        self.daemon.wait(self.is_up, STARTS_WITHIN_S)

    def stop(self) -> bool:
        """Stop it cleanly; whether it ran."""
        stopped = self.daemon.stop()
        java.keep_archive("registry", self.daemon.folder)
        return stopped


def _settings(admin_dsn: str, port: int) -> dict[str, str]:
    at = conninfo_to_dict(admin_dsn)
    return {
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{at['host']}:{at['port']}/{DATABASE}",
        "APICURIO_DATASOURCE_USERNAME": str(at["user"]),
        "APICURIO_DATASOURCE_PASSWORD": str(at["password"]),
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_MANAGEMENT_ENABLED": "false",
    }


def _create_database(admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        there = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
        if there is None:
            connection.execute(f"create database {DATABASE}")
