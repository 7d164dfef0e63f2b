"""What an attacker sees: rows of a vehicle as the analyst's reader gives them, cut into drives.

Never a place, a VIN or a heading. Times are seconds from the same midnight as the truth's, which
the attacker need not know: only differences and the quarter hours are used.
"""

import dataclasses
import struct

import numpy as np

from attacklib import s2

QUARTER_S = 900


@dataclasses.dataclass
class Rows:
    """One vehicle, by event time."""
    t: np.ndarray
    cell: np.ndarray        # uint64
    octant: np.ndarray      # -1 where it is not told
    speed_mps: np.ndarray
    yaw_dps: np.ndarray     # nan where it is not told
    is_on: np.ndarray

    def drives(self):
        """Stretches from ignition on to ignition off, that last report included."""
        starts = np.flatnonzero(self.is_on & ~np.concatenate([[False], self.is_on[:-1]]))
        for start in starts:
            off = np.flatnonzero(~self.is_on[start:])
            end = start + off[0] + 1 if len(off) else len(self.t)
            yield Rows(**{field.name: getattr(self, field.name)[start:end]
                          for field in dataclasses.fields(self)})

    def parked(self):
        """Mask of the reports between the drives."""
        return ~self.is_on

    def sightings(self):
        """Rows at which the cell was taken: the first of each quarter hour. At that moment, and
        only then, the car is known to be in the cell. Where there are fine cells, of those."""
        levels = s2.level_of(self.cell)
        fine = np.flatnonzero(levels == (s2.FINE if (levels == s2.FINE).any() else s2.COARSE))
        _, first = np.unique(self.t[fine] // QUARTER_S, return_index=True)
        return fine[first]


def of_lake(directory, midnight_us):
    """{vehicle_ref: Rows} through telltale_lake's reader, as an analyst queries."""
    import telltale_lake

    database = telltale_lake.connect(directory)
    table = database.sql(
        "SELECT vehicle_ref, epoch_us(event_time) AS at, coalesce(cell, 0) AS cell, "
        "speed_kmh, is_ignition_on FROM telemetry "
        "ORDER BY vehicle_ref, event_time, seq").fetchnumpy()
    refs = np.asarray(table["vehicle_ref"], str)
    edges = [0, *(np.flatnonzero(refs[1:] != refs[:-1]) + 1), len(refs)]
    found = {}
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        part = {name: np.asarray(values[first:last]) for name, values in table.items()}
        found[str(refs[first])] = Rows(
            (part["at"].astype(np.int64) - midnight_us) // 1_000_000,
            part["cell"].astype(np.int64).view(np.uint64), *_untold(last - first)[:1],
            part["speed_kmh"].astype(float) / 3.6, *_untold(last - first)[1:],
            part["is_ignition_on"].astype(bool))
    return found


def columns_of_lake(directory):
    """Every column an analyst can ask for in telemetry."""
    import telltale_lake

    return telltale_lake.connect(directory).sql("SELECT * FROM telemetry LIMIT 0").columns


def open_cells(told):
    """Rows as the stream `safety` has them: the cell of each report. `told`: door.reports_of."""
    octant = ((np.degrees(told["heading_rad"]) + 22.5) / 45).astype(int) % 8
    return Rows(told["t"], s2.cell_of(told["place"]), octant,
                np.float32(told["speed_mps"] * 3.6).astype(float) / 3.6,
                np.float32(told["yaw_dps"]).astype(float), told["is_on"])


def _untold(count):
    """(octants, yaw rates) of rows that have neither."""
    return np.full(count, -1), np.full(count, np.nan)


def held(rows, level=s2.COARSE):
    """The rows with the cell of the first report in each quarter hour: the rule of docs/lake.md for
    cars that send in order, by a second, plain hand."""
    _, first, back = np.unique(rows.t // QUARTER_S, return_index=True, return_inverse=True)
    return dataclasses.replace(rows, cell=s2.parent(rows.cell[first][back], level))


def lake_rows(told):
    """Rows as the lake has to have them. `told`: door.reports_of."""
    rows = held(open_cells(told))
    octant, yaw_dps = _untold(len(rows.t))
    return dataclasses.replace(rows, octant=octant, yaw_dps=yaw_dps)


def rows_before(told):
    """Rows as the lake had them once: octant, yaw rate, and level 12 cells but for ten minutes
    after ignition on and while off. What it gave away is why it does no more."""
    rows = open_cells(told)
    kept = np.zeros_like(rows.cell)
    quarter, first, fine, on_since, was_on = None, 0, 0, 0, False
    for k, (t, is_on) in enumerate(zip(rows.t.tolist(), rows.is_on.tolist(), strict=True)):
        on_since = t if is_on and not was_on else on_since
        was_on = is_on
        if t // QUARTER_S != quarter:
            quarter, first, fine = t // QUARTER_S, rows.cell[k], 0
        if not is_on or t - on_since <= 600:
            kept[k] = s2.parent(first, s2.COARSE)
            continue
        fine = fine or rows.cell[k]
        kept[k] = fine
    return dataclasses.replace(rows, cell=kept)


def of_stream(log_dir, refs, midnight_us):
    """{vehicle_ref: Rows} of some vehicles from the stream `safety`: for who can read that."""
    import segments

    found = {ref: [] for ref in refs}
    for record in segments.read_stream(log_dir, "safety"):
        if record.kind == segments.DATA and record.vehicle_ref in found:
            found[record.vehicle_ref].append(
                ((record.event_time_us - midnight_us) // 1_000_000, *_safety_fields(record.wire)))
    rows = {}
    for ref, taken in found.items():
        t, speed, yaw, is_on, cell, octant = (np.array(c) for c in zip(*sorted(taken), strict=True))
        rows[ref] = Rows(t, cell.astype(np.uint64), octant, speed / 3.6, yaw, is_on.astype(bool))
    return rows


def _safety_fields(wire):
    """speed_kmh, yaw_rate_dps, is_ignition_on, cell, heading_octant of a record."""
    values, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = wire[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(wire):
        tag = varint()
        match tag & 7:
            case 0:
                values[tag >> 3] = varint()
            case 1:
                values[tag >> 3] = int.from_bytes(wire[at:at + 8], "little")
                at += 8
            case 5:
                values[tag >> 3] = struct.unpack_from("<f", wire, at)[0]
                at += 4
            case other:
                raise ValueError(f"wire type {other} in a safety record")
    return tuple(values[number] for number in (10, 14, 130, 10001, 10002))
