"""An installation of its own for a test, on a stack of its own that may be killed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from balance_chassis.settings import Settings
from balance_local import installation, paths, stack
from balance_local.installation import Installation
from balance_schemas.codec import Codec, load_ids

COMPUTING = ("ingest", "imbalance")
"""Services that have a part in what is computed: fleets are described by messages of their own."""


@contextmanager
def own_stack(folder: str) -> Iterator[Path]:
    """Use broker, registry and database under `.local/<folder>`, whatever addresses the environment gives.

    Files of tests run side by side: each names a folder of its own. Started by whoever makes an
    installation inside, stopped on leaving.
    """
    root = paths.CHECKOUT / ".local" / folder
    changed = {"BALANCE_LOCAL_ROOT": str(root), **dict.fromkeys(stack.GIVEN)}
    before = {name: os.environ.get(name) for name in changed}
    _set(changed)
    try:
        yield root
    finally:
        stack.down()
        _set(before)


@contextmanager
def fresh_installation(
    name: str,
    zone: str,
    day_start_hour: int = 0,
    clock: str = "packets",
    services: Sequence[str] = COMPUTING,
    **variables: str,
) -> Iterator[Installation]:
    """An empty installation with these services running; dropped at the end.

    ``variables`` are set for its processes (and for this one) as long as it stands.
    """
    before = {key: os.environ.get(key) for key in variables}
    _set(variables)
    try:
        _drop(name)
        made = installation.create(name, zone, day_start_hour, clock)
        made.topics_apply()
        made.migrate()
        made.services_up(names=services)
        try:
            yield made
        finally:
            stack.ensure()  # a test may have left something killed
            made.drop()
    finally:
        _set(before)


def codec_of(made: Installation) -> Codec:
    """Encodes and decodes with integer milliseconds."""
    return Codec(load_ids(made.folder / "schema-ids.json"), raw_timestamps=True)


def settings_of(made: Installation) -> Settings:
    """What its processes read."""
    return made.settings()


def _drop(name: str) -> None:
    if installation.described(name) is not None:
        installation.opened(name).drop()


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
