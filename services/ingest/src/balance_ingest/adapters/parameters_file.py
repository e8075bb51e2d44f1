"""The file of parameters that a utility may give (BALANCE_INGEST_PARAMETERS): what differs from the defaults.

YAML: a resource, or LARGE for large meters of any resource, then the parameters of docs/domain.md §3.16:

    GAS: {zero_days: 30}
    LARGE: {usual_factor: 1.5, spike_share: 0.4}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from balance_ingest.domain.parameters import DEFAULTS, METERED, ParameterTable

LARGE = "LARGE"
_LIMITS: Mapping[str, tuple[type, float, float]] = {
    "zero_days": (int, 1, 365),
    "stuck_hours": (int, 24, 24 * 28),
    "usual_factor": (float, 1, 1000),
    "spike_share": (float, 0, 1),
    "sum_tolerance": (int, 0, 1000),
}


def read_parameters(path: Path | None) -> tuple[ParameterTable, list[str]]:
    """The table of a file, or the defaults without one; and everything that is wrong with it, a sentence
    each.
    """
    if path is None or not path.is_file():
        return DEFAULTS, []
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return DEFAULTS, [f"{path}: expected YAML, found {error}"]
    problems = list(_problems(document))
    if problems:
        return DEFAULTS, [f"{path}: {problem}" for problem in problems]
    given: Mapping[str, Mapping[str, Any]] = document or {}
    ordinary = {
        resource: replace(DEFAULTS.of(resource, 0), **given.get(resource.value, {})) for resource in METERED
    }
    return ParameterTable(ordinary, replace(DEFAULTS.large, **given.get(LARGE, {}))), []


def _problems(document: Any) -> Iterator[str]:
    if document is None:
        return
    names = [*sorted(resource.value for resource in METERED), LARGE]
    if not isinstance(document, Mapping):
        yield f"expected {', '.join(names)} with parameters, found {type(document).__name__}"
        return
    for name, given in document.items():
        if name not in names:
            yield f"expected {', '.join(names)}, found {name}"
        elif not isinstance(given, Mapping):
            yield f"{name}: expected parameters, found {given!r}"
        else:
            yield from (f"{name}: {problem}" for problem in _parameter_problems(given))


def _parameter_problems(given: Mapping[Any, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name not in _LIMITS:
            yield f"expected {', '.join(_LIMITS)}, found {name}"
            continue
        kind, least, most = _LIMITS[name]
        right = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
        if not right or not least <= value <= most:
            yield f"{name}: expected {kind.__name__} from {least} to {most}, found {value!r}"
