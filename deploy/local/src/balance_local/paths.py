"""Where things lie: the checkout, the parts that `make setup` brought, the data of this machine."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[4]
PARTS = CHECKOUT / ".local" / "parts"
"""Broker and registry as fetched; the same for every data root."""


def local_root() -> Path:
    """Folder of all data and logs: BALANCE_LOCAL_ROOT, or `.local` in the checkout. Made if not there."""
    root = Path(os.environ.get("BALANCE_LOCAL_ROOT") or CHECKOUT / ".local").resolve()
    root.mkdir(parents=True, exist_ok=True)
    return root
