"""`make setup`: everything this checkout needs, in `.venv/` and `.local/parts/`, and a few Debian packages.

Standard library only, for nothing is installed yet when it runs. Each step leaves a stamp that holds the hash
of what it was made from; a step whose stamp is still right is passed over.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
PARTS = CHECKOUT / ".local" / "parts"
REQUIREMENTS = CHECKOUT / "requirements"
KAFKA_POM = CHECKOUT / "deploy" / "local" / "kafka" / "pom.xml"

MAVEN = ("mvn", "--batch-mode", "--quiet")
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
REGISTRY = "io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all"
# The registry's parent POM is not to be had everywhere; this older plugin does not ask for it.
COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.10:copy"


class UnpreparedError(Exception):
    """A step failed; the message says what to do."""


def main() -> int:
    """Run every step that is due. Exit code 0 when all is there."""
    (CHECKOUT / ".local").mkdir(exist_ok=True)
    started = time.monotonic()
    try:
        with _lock(CHECKOUT / ".local" / "setup.lock"):
            done = [step() for step in (system_packages, environment, libraries, members, kafka, registry)]
    except UnpreparedError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    if any(done):
        print(f"setup: ready after {time.monotonic() - started:.0f} s", flush=True)
    return 0


def system_packages() -> bool:
    """Java 17 or later, Maven, PostgreSQL, Mosquitto, Python's venv: Debian's packages where this is root."""
    wanted = [package for package, there in _DEBIAN_PACKAGES.items() if not there()]
    if not wanted:
        return False
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *wanted]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise UnpreparedError(
            f"{', '.join(wanted)} missing, and only root may install. Run\n"
            f"    sudo apt-get update && sudo {' '.join(install)}\n"
            "and try again. Elsewhere than on Debian: Java 17, Maven, PostgreSQL 15 and Mosquitto 2 or later "
            "on the PATH."
        )
    _say(f"installing Debian packages: {', '.join(wanted)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "--quiet"], quiet)
    _run(install, quiet)
    missing = [package for package in wanted if not _DEBIAN_PACKAGES[package]()]
    if missing:
        raise UnpreparedError(f"{', '.join(missing)} installed, and yet not found; is the PATH right?")
    return True


def environment() -> bool:
    """The virtual environment, and uv in it, pinned by hash."""
    return _step(
        "Python environment .venv with uv",
        VENV / ".made-from",
        [REQUIREMENTS / "bootstrap.txt"],
        sys.version,
        _make_environment,
    )


def libraries() -> bool:
    """Every library of the lock, and no other."""
    locks = [REQUIREMENTS / name for name in ("dev.txt", "bootstrap.txt", "profiles.txt")]
    return _step(
        "libraries of requirements/dev.txt",
        VENV / ".libraries",
        locks,
        (VENV / ".made-from").read_text(),
        lambda: _run([UV, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", *locks]),
    )


def members() -> bool:
    """The workspace's own packages, editable. Their libraries come from the lock alone."""
    workspace = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["workspace"]
    folders = [CHECKOUT / member for member in workspace["members"]]
    editable = [argument for folder in folders for argument in ("--editable", str(folder))]
    install: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        PYTHON,
        "--no-deps",
        "--no-build-isolation",
    ]
    return _step(
        f"{len(folders)} packages of the workspace",
        VENV / ".members",
        [folder / "pyproject.toml" for folder in folders],
        (VENV / ".libraries").read_text(),
        lambda: _run([*install, *editable]),
    )


def kafka() -> bool:
    """The broker's jars."""
    copy = [*MAVEN, "--file", str(KAFKA_POM), COPY_DEPENDENCIES, "-DincludeScope=runtime"]
    return _part("kafka", "Apache Kafka (44 MB)", [KAFKA_POM], "", copy)


def registry() -> bool:
    """The schema registry, unpacked."""
    copy = [*MAVEN, COPY, f"-Dartifact={REGISTRY}"]
    return _part("registry", "Apicurio schema registry (104 MB)", [], REGISTRY, copy)


def _part(name: str, title: str, sources: Sequence[Path], salt: str, maven: Sequence[str | Path]) -> bool:
    folder = PARTS / name

    def fetch() -> None:
        # Into a folder beside it first: what is interrupted must not look whole.
        fresh = PARTS / f"{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:  # Maven leaves marker files where it is run
            _run([*maven, f"-DoutputDirectory={fresh}"], folder=Path(scratch))
        for archive in fresh.glob("*.tar.gz"):
            shutil.unpack_archive(archive, fresh)
            archive.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)

    return _step(title, folder / ".made-from", sources, salt, fetch)


def _make_environment() -> None:
    if not (3, 11) <= sys.version_info < (3, 13):
        found = sys.version.split()[0]
        raise UnpreparedError(f"expected Python 3.11 or 3.12, found {found}; say make PYTHON=python3.11")
    _run([sys.executable, "-m", "venv", "--clear", VENV])
    lock = REQUIREMENTS / "bootstrap.txt"
    _run([PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock])


def _step(title: str, stamp: Path, sources: Sequence[Path], salt: str, make: Callable[[], None]) -> bool:
    """Whether there was something to do. `salt` stands for what the step depends on besides the sources."""
    digest = hashlib.sha256(salt.encode())
    for source in sources:
        digest.update(source.read_bytes())
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return False
    _say(title)
    started = time.monotonic()
    make()
    stamp.write_text(digest.hexdigest())
    _say(f"{title}: done in {time.monotonic() - started:.0f} s")
    return True


def _java_17() -> bool:
    try:
        answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
        return int(answer.split('"')[1].split(".")[0]) >= 17
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return False


def _venv_works() -> bool:
    # Debian splits ensurepip off; without it `python -m venv` fails half-way.
    return PYTHON.exists() or importlib.util.find_spec("ensurepip") is not None


def _postgresql() -> bool:
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


_DEBIAN_PACKAGES: dict[str, Callable[[], bool]] = {
    "python3-venv": _venv_works,
    "openjdk-17-jre-headless": _java_17,
    "maven": lambda: shutil.which("mvn") is not None,
    "postgresql": _postgresql,
    "mosquitto": lambda: bool(shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists()),
}


def _run(
    command: Sequence[str | Path], environment: dict[str, str] | None = None, folder: Path = CHECKOUT
) -> None:
    words = [str(word) for word in command]
    # Maven writes terminal codes even when told to be quiet: its words are shown only when it fails.
    done = subprocess.run(
        words,
        cwd=folder,
        # The system's certificates, for a network that has its own.
        env={"UV_SYSTEM_CERTS": "true", **os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise UnpreparedError(
            f"this failed; put it right and run it again:\n    {' '.join(words)}\n{done.stdout}"
        )


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another setup of this checkout")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
