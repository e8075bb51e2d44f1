"""What runs and how far it is, as tables for people."""

from collections.abc import Sequence

import psycopg
from balance_gateway.domain.changes import Change, differences
from rich import box
from rich.console import Console
from rich.table import Table

from balance_local import lag, ports, services, supervisor
from balance_local.dead_letters import Letter
from balance_local.installation import Description, Installation
from balance_local.stack import Stack


def show(console: Console, description: Description, stack: Stack) -> None:
    """Addresses, processes, lag and dead letters, parked channels."""
    chosen = Installation(description, stack)
    console.print(_addresses(chosen))
    console.print(_processes(chosen))
    console.print(_groups(chosen))
    parked = parked_channels(chosen.dsn)
    if parked:
        console.print(f"{parked} channels send and are registered nowhere: see ingest.v_parked")


def show_letters(console: Console, letters: Sequence[Letter]) -> None:
    """Dead letters, newest last."""
    if not letters:
        console.print("no dead letters")
        return
    table = _table("group", "at (UTC)", "from", "bytes", "kind", "reason", "returned")
    for letter in letters:
        table.add_row(
            letter.group,
            f"{letter.at:%Y-%m-%d %H:%M:%S}",
            f"{letter.topic}/{letter.partition}@{letter.origin_offset}",
            str(letter.size_bytes),
            letter.kind,
            letter.reason,
            "yes" if letter.returned else "",
        )
    console.print(table)


def show_change(console: Console, change: Change) -> None:
    """What would differ, a line a field; one line for an entity that is new."""
    if change.before is None:
        console.print(f"new {change.entity.subject}", markup=False, highlight=False)
        return
    for difference in differences(change.before.value, change.entity.value):
        console.print(f"{change.entity.subject}: {difference}", markup=False, highlight=False, soft_wrap=True)


def parked_channels(dsn: str) -> int | None:
    """Channels that send and are registered nowhere; None before the database is migrated."""
    with psycopg.connect(dsn) as connection:
        if connection.execute("select to_regclass('ingest.v_parked')").fetchone() == (None,):
            return None
        row = connection.execute("select count(*) from ingest.v_parked").fetchone()
        return int(row[0]) if row else None


def _addresses(chosen: Installation) -> Table:
    settings = psycopg.conninfo.conninfo_to_dict(chosen.dsn)
    table = Table(
        show_header=False, box=box.SIMPLE, title=f"installation {chosen.name}", title_justify="left"
    )
    table.add_row("Kafka", chosen.stack.bootstrap_servers)
    table.add_row("registry", chosen.stack.registry_url)
    table.add_row(
        "PostgreSQL", f"{settings.get('host')}:{settings.get('port')}, database {settings['dbname']}"
    )
    hour = f"{chosen.description.day_start_hour:02}:00"
    table.add_row(
        "calendar", f"{chosen.description.zone}, days from {hour}, clock {chosen.description.clock}"
    )
    pages = ports.recorded_port(chosen.folder, supervisor.PAGES)
    if pages is not None:
        table.add_row("pages", f"http://127.0.0.1:{pages}")
    table.add_row("logs", str(chosen.folder / "logs"))
    return table


def _processes(chosen: Installation) -> Table:
    table = _table("service", "role", "pid", "state", "restarts", "health and metrics")
    found = supervisor.recorded(chosen.folder) if services.daemon(chosen.folder).process() else []
    for service in found:
        port = f"http://127.0.0.1:{service.port}/metrics"
        table.add_row(
            service.service,
            service.role,
            str(service.pid),
            services.state(service),
            str(service.restarts),
            port,
        )
    if not found:
        table.add_row("no services run", "", "", "", "", "")
    return table


def _groups(chosen: Installation) -> Table:
    table = _table("consumer group", "topic", "to read", "dead letters")
    for group in lag.of_groups(chosen.settings().kafka):
        table.add_row(group.group, group.topic, f"{group.records:,}", f"{group.dead_letters:,}")
    return table


def _table(*names: str) -> Table:
    """A table that breaks long names on a narrow screen and never cuts them off."""
    table = Table(box=box.SIMPLE)
    for name in names:
        table.add_column(name, overflow="fold")
    return table
