"""A module channel that nobody registered is given to a usage point, old or new, by one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balance_gateway.domain.kinds import Value
from balance_gateway.domain.meters import UNITS, Form, meter_of
from balance_gateway.domain.people import path_of


def counted(point: Value | None, module_id: str, channel: int, fields: Mapping[str, str]) -> dict[str, Any]:
    """The usage point with that channel from `fitted_at` on; `point` is as it stands, None for a new one.

    Fields of an old one: usage_point_id, fitted_at. Of a new one also resource, sp_id, acc_id, object_path
    and those of `meter_of`. Raises RefusedError.
    """
    name = fields.get("usage_point_id", "").strip()
    form = Form(fields, f"usage-point/{name}")
    form.needed("usage_point_id", "the id of a usage point")
    at = form.needed("fitted_at", "since when, such as 2026-03-12T09:30")
    fitting = {"module_id": module_id, "channel": channel, "fitted_at": at}
    if point is not None:
        form.check()
        return {"usage_point_id": name, "channels": [*point["channels"], fitting]}
    resource = form.needed("resource", "what is metered")
    meters = [meter_of(form, resource, at)] if resource is not None and resource in UNITS else []
    form.check()
    return {
        "usage_point_id": name,
        "resource": resource,
        "sp_id": form.text("sp_id"),
        "acc_id": form.text("acc_id"),
        "object_path": list(path_of(fields.get("object_path", ""))),
        "meters": meters,
        "channels": [fitting],
    }
