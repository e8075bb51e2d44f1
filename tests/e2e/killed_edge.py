"""An edge that loses its power between Kafka's acknowledgement and its first receipt."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from balance_ingest.__main__ import main
from balance_ingest.adapters.mqtt import Answer, Connection


async def _die(_connection: Connection, _answers: Sequence[Answer]) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


Connection.publish = _die  # type: ignore[method-assign, assignment]
sys.argv[1:] = ["run", "--role", "edge"]
sys.exit(main())
