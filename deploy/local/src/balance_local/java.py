"""How the stack's Java programs are started: small heaps, and class archives that halve the time to start."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

from balance_local.paths import PARTS

FLAGS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:cds*=off")


def archive_flags(part: str, folder: Path) -> list[str]:
    """Read the part's class archive; the first run writes one on ending, which `keep_archive` keeps."""
    archive = _archive(part)
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto"]
    return [f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}"]


def keep_archive(part: str, folder: Path) -> None:
    """After a clean end: keep the class archive that was written."""
    written = folder / "classes.jsa"
    if written.exists():
        written.chmod(0o644)
        written.replace(_archive(part))


def _archive(part: str) -> Path:
    # An archive of another Java or of other jars would only be refused.
    made_from = (PARTS / part / ".made-from").read_text()
    key = hashlib.sha256((made_from + _java_version()).encode()).hexdigest()[:12]
    return PARTS / f"{part}-{key}.jsa"


@cache
def _java_version() -> str:
    return subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
