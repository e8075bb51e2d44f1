"""Ports of 127.0.0.1: chosen free, recorded, kept as long as nobody else takes them."""

import json
import socket
import zlib
from pathlib import Path

_FIRST, _LAST = 20000, 30000  # below the ports that Linux gives to outgoing connections


def choose(root: Path, name: str) -> int:
    """The recorded port of `name` if it is free, else the next free one, recorded in `<root>/ports.json`.

    Call it under the stack's lock, and only while whatever listens there is not running. Raises RuntimeError
    when none is free.
    """
    recorded = _recorded(root)
    port = recorded.get(name)
    if port is None or not is_free(port):
        others = {other for key, other in recorded.items() if key != name}
        port = _next_free(zlib.crc32(str(root).encode()), others)
        (root / "ports.json").write_text(json.dumps({**recorded, name: port}, indent=2))
    return port


def recorded_port(root: Path, name: str) -> int | None:
    """The port `name` was given last."""
    return _recorded(root).get(name)


def is_free(port: int) -> bool:
    """Whether nobody listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT can be listened on
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    """Whether somebody listens on it."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _next_free(seed: int, taken: set[int]) -> int:
    span = _LAST - _FIRST
    for step in range(span):
        port = _FIRST + (seed + step) % span
        if port not in taken and is_free(port):
            return port
    raise RuntimeError(f"expected a free port between {_FIRST} and {_LAST} of 127.0.0.1, found none")


def _recorded(root: Path) -> dict[str, int]:
    try:
        recorded: dict[str, int] = json.loads((root / "ports.json").read_text())
    except (OSError, ValueError):
        return {}
    return recorded
