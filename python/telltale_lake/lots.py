"""Which vehicles belong to a cohort: as src/base/cohort.h says, from the config record alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from telltale_lake.erased import is_reference

DRAWS = 10_000
LOTS = 10_002  # 0 for `always`, 1 + draw, and the last for `never`


class NotAnOrder(Exception):
    """The order cannot be read; the message says what is wrong."""


def draw_of(salt: str, vehicle_ref: str) -> int:
    """0 to 9,999; test vectors in docs/formats/config-record.md."""
    import xxhash

    return xxhash.xxh3_64_intdigest(salt.encode() + b"\0" + bytes.fromhex(vehicle_ref)) % DRAWS


@dataclass(frozen=True)
class Order:
    """The order in which a cohort grows; `never` is stronger than `always`."""

    salt: str
    always: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()

    def lot_of(self, vehicle_ref: str) -> int:
        if vehicle_ref in self.never:
            return LOTS - 1
        if vehicle_ref in self.always:
            return 0
        return 1 + draw_of(self.salt, vehicle_ref)

    def below(self, lots: int, vehicles: Iterable[str]) -> list[str]:
        """Those of the vehicles that a cohort of so many lots has, sorted."""
        return sorted(vehicle for vehicle in vehicles if self.lot_of(vehicle) < lots)

    def as_dict(self) -> dict[str, Any]:
        return {"salt": self.salt, "always": sorted(self.always), "never": sorted(self.never)}


def parse_order(text: str) -> Order:
    """{"salt": TEXT, "always": [REF, ...], "never": [REF, ...]}; the lists may be absent."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise NotAnOrder(f"the order is not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("salt"), str):
        raise NotAnOrder('the order must be an object with a text "salt"')
    unknown = sorted(set(found) - {"salt", "always", "never"})
    if unknown:
        raise NotAnOrder(f"the order has a member {unknown[0]}; there are salt, always, never")
    return Order(found["salt"], *(_references(found, name) for name in ("always", "never")))


def _references(found: dict[str, Any], name: str) -> frozenset[str]:
    listed = found.get(name, [])
    if not isinstance(listed, list):
        raise NotAnOrder(f"{name} is no list")
    for reference in listed:
        if not isinstance(reference, str) or not is_reference(reference):
            raise NotAnOrder(f"{name}: a reference is 32 hexadecimal digits in lower case")
    return frozenset(listed)
