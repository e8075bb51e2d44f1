"""What the launcher starts is what the services have."""

from balance_gateway import bootstrap as gateway
from balance_imbalance import bootstrap as imbalance
from balance_ingest import bootstrap as ingest
from balance_local import supervisor

OF_A_SERVICE = {"gateway": set(gateway.ROLES), "ingest": set(ingest.ROLES), "imbalance": set(imbalance.ROLES)}


def test_the_launcher_knows_every_role_of_every_service() -> None:
    started = {(service, role) for service, role, _ in supervisor.PROCESSES}
    assert started == {(service, role) for service, roles in OF_A_SERVICE.items() for role in roles}
