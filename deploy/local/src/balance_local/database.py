"""PostgreSQL as an ordinary process, from the binaries on the PATH or of Debian's package."""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

import psutil
import psycopg

from balance_local import ports
from balance_local.daemon import Daemon, NotStartedError

ADMIN = "balance"
STARTS_WITHIN_S = 120.0  # after a kill -9 it may have gigabytes of its log to replay

_CONFIGURATION = """\
# Of the local stack; written anew at each start.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 512MB
maintenance_work_mem = 128MB
work_mem = 16MB
max_wal_size = 4GB
min_wal_size = 512MB
checkpoint_timeout = 15min
synchronous_commit = on
fsync = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m %a '
"""


@dataclass(frozen=True)
class Database:
    """The PostgreSQL cluster of one data root."""

    root: Path

    @property
    def folder(self) -> Path:
        """Where pid file, log and `data` lie: `<root>/postgres`, unless user postgres cannot reach that."""
        folder = self.root / "postgres"
        return folder if _user() is None or _reachable(self.root) else _fallback(self.root)

    @property
    def daemon(self) -> Daemon:
        """Its process, the postmaster."""
        return Daemon("PostgreSQL", self.folder)

    @property
    def admin_dsn(self) -> str:
        """DSN of a superuser on database postgres. Raises NotStartedError when it was never started."""
        return self._dsn(self.folder)

    def is_up(self) -> bool:
        """Whether it runs and answers a query."""
        folder = self.folder
        if Daemon("PostgreSQL", folder).process() is None:
            return False
        try:
            with psycopg.connect(self._dsn(folder), connect_timeout=5) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError as error:
            return "too many clients" in str(error)  # it does answer
        except NotStartedError:
            return False
        return True

    def start(self) -> None:
        """Start it; `wait` tells when it answers."""
        folder = self.folder
        data = folder / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(folder)
        _wait_for_orphans(data)
        _remove_stale_pid_file(data)
        (data / "balance.conf").write_text(_CONFIGURATION + _preload())
        port = ports.choose(self.root, "postgres")
        configuration = f"config_file={data / 'balance.conf'}"
        command: list[str | Path] = [_binary("postgres"), "-D", data, "-c", configuration, "-p", str(port)]
        Daemon("PostgreSQL", folder).start(command, user=_user())

    def wait(self) -> None:
        """Return when it answers. Raises NotStartedError."""
        self.daemon.wait(self.is_up, STARTS_WITHIN_S)

    def stop(self) -> bool:
        """Stop it cleanly, without waiting for its clients to leave; whether it ran."""
        return self.daemon.stop(SIGINT, patience_s=60)

    def _dsn(self, folder: Path) -> str:
        port = ports.recorded_port(self.root, "postgres")
        password = folder / "password"
        if port is None or not password.exists():
            raise NotStartedError("PostgreSQL was never started here; run `balance up`")
        return f"postgresql://{ADMIN}:{password.read_text()}@127.0.0.1:{port}/postgres"

    def _initialise(self, folder: Path) -> None:
        data, user = folder / "data", _user()
        shutil.rmtree(data, ignore_errors=True)  # an initdb that was interrupted
        data.mkdir(parents=True, mode=0o700)
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(18))
        if user:
            shutil.chown(data, user, user)
            shutil.chown(password, user, user)
        command = [
            _binary("initdb"),
            "-D",
            str(data),
            "-U",
            ADMIN,
            "--pwfile",
            str(password),
            "--no-instructions",
        ]
        done = subprocess.run(
            [*command, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"],
            capture_output=True,
            text=True,
            cwd="/",
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        if done.returncode:
            raise NotStartedError(f"PostgreSQL's initdb failed.\n{done.stdout}{done.stderr}")


def _preload() -> str:
    """Configuration that loads TimescaleDB where the server has it."""
    pg_config = Path(_binary("postgres")).with_name("pg_config")
    if not pg_config.exists():
        return ""
    libraries = subprocess.run([pg_config, "--pkglibdir"], capture_output=True, text=True, check=True).stdout
    if not (Path(libraries.strip()) / "timescaledb.so").exists():
        return ""
    return "shared_preload_libraries = 'timescaledb'\ntimescaledb.telemetry_level = off\n"


def _binary(name: str) -> str:
    """A server program: in BALANCE_POSTGRES_BIN, or Debian's, which are off the PATH, or any other."""
    if given := os.environ.get("BALANCE_POSTGRES_BIN"):
        if (Path(given) / name).exists():
            return str(Path(given) / name)
        raise NotStartedError(f"expected PostgreSQL's {name} in BALANCE_POSTGRES_BIN, found none in {given}")
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    found = str(debian[-1]) if debian else shutil.which(name)
    if found is None:
        raise NotStartedError(f"expected PostgreSQL's {name}, found none; run `make setup`")
    return found


def _user() -> str | None:
    """Who runs the server: ourselves (None), or user postgres where we are root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise NotStartedError(
            "PostgreSQL refuses root, and there is no user postgres to run it; do `useradd --system postgres`"
        ) from None


def _reachable(folder: Path) -> bool:
    user = _user()
    asked = subprocess.run(["test", "-x", folder], user=user, group=user, extra_groups=[], cwd="/")
    return asked.returncode == 0


def _fallback(root: Path) -> Path:
    folder = Path(tempfile.gettempdir()) / f"balance-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise NotStartedError(f"expected {folder} to be a folder of our own, found another's; remove it")
    folder.chmod(0o755)
    return folder / "postgres"


def _wait_for_orphans(data: Path) -> None:
    """Wait for the children of a killed postmaster: while they hold its memory, no new one starts."""
    orphans = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == "postgres" and process.cwd() == str(data):
                orphans.append(process)
    psutil.wait_procs(orphans, timeout=30)


def _remove_stale_pid_file(data: Path) -> None:
    """Remove postmaster.pid when its pid is no PostgreSQL of this folder: it may be another's by now."""
    pid_file = data / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        pid = int(pid_file.read_text().split()[0])
        try:
            ours = psutil.Process(pid).cwd() == str(data)
        except psutil.Error:
            ours = False
        if not ours:
            pid_file.unlink()
