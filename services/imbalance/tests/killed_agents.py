"""The role of agents, which dies between its first transaction and any acknowledgement."""

import os
import signal
import sys
from collections.abc import Sequence

from balance_imbalance.__main__ import main
from balance_imbalance.computing.onsets import Watching
from balance_imbalance.domain.messages import ChangedGroupDay

_handle = Watching.handle


def handle_and_die(self: Watching, messages: Sequence[ChangedGroupDay | str]) -> None:
    """Handle, and be killed."""
    _handle(self, messages)
    os.kill(os.getpid(), signal.SIGKILL)


Watching.handle = handle_and_die  # type: ignore[method-assign] # what it is for
sys.exit(main())
