"""One function a message: what is to be done when it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from balance_imbalance.domain.messages import Asset, ReadingDays, newest_assets, newest_days
from balance_imbalance.ports import ReadingDayStore, Register


def handle_reading_days(messages: Sequence[ReadingDays], store: ReadingDayStore) -> int:
    """Keep the greatest version of each reading day and mark what it touches; gives how many days changed."""
    return store.store(newest_days(messages), max(message.clock_at for message in messages))


def handle_assets(assets: Sequence[Asset | None], register: Register) -> int:
    """Keep the greatest version of each entity and mark what it touches; gives how many group-days were
    marked.
    """
    points, groups = newest_assets(asset for asset in assets if asset is not None)
    return register.describe(points, groups) if points or groups else 0
