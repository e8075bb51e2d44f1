"""The asset register of an installation: files imported into it, by the gateway's own import."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balance_gateway import bootstrap, settings
from balance_gateway.adapters import files
from balance_gateway.adapters.postgres import PostgresRegister
from balance_gateway.domain.changes import Author
from balance_gateway.domain.kinds import BALANCE_GROUP, CONCENTRATOR, MODULE, USAGE_POINT
from balance_gateway.domain.radio import RADIO_BUDGET
from balance_gateway.handlers import Imported, Registering, Written

from balance_local import services
from balance_local.draining import StuckError
from balance_local.installation import Installation

FileError = files.FileError
_AUTHOR = "balance"
_PATIENCE_S = 120.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Published:
    """Entities that were changed, and how many stood so already."""

    sent: tuple[str, ...]
    unchanged: int


def load(
    installation: Installation,
    path: Path,
    *,
    dry: bool = False,
    reason: str | None = None,
    accepted: Collection[str] = (),
) -> Imported:
    """Import a file; returns when what changed is published, if the services run.

    Raises FileError with all that is wrong, and OSError.
    """
    document = files.read(path.name, path.read_bytes())
    author = Author(os.environ.get("USER", _AUTHOR), "import", reason)
    with _opened(installation) as (registering, register):
        found = registering.import_all(document.written, author, accepted=accepted, dry=dry)
        if found.problems:
            raise FileError([document.told(problem) for problem in found.problems])
        _wait(installation, register)
    return found


def publish(
    installation: Installation,
    usage_points: Sequence[Mapping[str, Any]],
    balance_groups: Sequence[Mapping[str, Any]],
    modules: Sequence[Mapping[str, Any]] = (),
    concentrators: Sequence[Mapping[str, Any]] = (),
) -> Published:
    """Import a described fleet, whatever it costs the radio; returns as `load` does.

    Values have the shape of the Avro records; entities that are not named stay as they are. Raises FileError
    with every error.
    """
    of_kinds = (
        (USAGE_POINT, usage_points),
        (BALANCE_GROUP, balance_groups),
        (MODULE, modules),
        (CONCENTRATOR, concentrators),
    )
    written = [Written(kind, one) for kind, each in of_kinds for one in each]
    with _opened(installation) as (registering, register):
        found = registering.import_all(written, Author(_AUTHOR, "import"), accepted=(RADIO_BUDGET,))
        if found.problems:
            raise FileError([str(problem) for problem in found.problems])
        _wait(installation, register)
    return Published(tuple(sorted(one.entity.subject for one in found.changes)), found.unchanged)


@contextmanager
def _opened(installation: Installation) -> Iterator[tuple[Registering, PostgresRegister]]:
    with bootstrap.opened(settings.load({**os.environ, **installation.environment()})) as opened:
        yield opened


def _wait(installation: Installation, register: PostgresRegister) -> None:
    """Return when nothing of the register is unpublished, at once when its services are stopped."""
    deadline = time.monotonic() + _PATIENCE_S
    while register.unpublished() and services.daemon(installation.folder).process() is not None:
        if time.monotonic() > deadline:
            raise StuckError(
                f"the register was not published within {_PATIENCE_S:.0f} s: look at "
                f"{installation.folder / 'logs' / 'gateway-worker.log'}"
            )
        time.sleep(_POLL_S)
