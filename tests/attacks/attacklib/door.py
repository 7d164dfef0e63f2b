"""The cars at the real door: the vehicle protocol by hand, all reports of a car in one go."""

import numpy as np

from attacklib import s2
from attacklib.drives import DAY_S

PARKED_EVERY_S = 3600
BATCH_REPORTS = 1000
# A report as the wire has it. Only `seq` has a length that varies: by the size of its number.
_FIELDS = [("tag_seq", "u1"), ("seq", "u1"), ("tag_time", "u1"), ("time", "u1", 8),
           ("tag_speed", "u1"), ("speed_kmh", "<f4"), ("tag_lateral", "u1"),
           ("lateral_mps2", "<f4"), ("tag_yaw", "u1"), ("yaw_dps", "<f4"),
           ("tag_ignition", "u1", 2), ("is_ignition_on", "u1"), ("tag_latitude", "u1", 2),
           ("latitude", "<f8"), ("tag_longitude", "u1", 2), ("longitude", "<f8"),
           ("tag_heading", "u1", 2), ("heading_deg", "<f4")]
_TAGS = {"tag_seq": 0x08, "tag_time": 0x10, "tag_speed": 0x55, "tag_lateral": 0x65,
         "tag_yaw": 0x75, "tag_ignition": (0x90, 0x08), "tag_latitude": (0x81, 0x0A),
         "tag_longitude": (0x89, 0x0A), "tag_heading": (0x9D, 0x0A)}


def _varints(values, size):
    """Varints of exactly `size` bytes each, (n, size)."""
    shifts = np.arange(size, dtype=np.uint64) * np.uint64(7)
    out = (np.asarray(values, np.uint64)[:, None] >> shifts & np.uint64(127)).astype(np.uint8)
    out[:, :-1] |= 128
    return out


def reports_of(car):
    """Every report of a car in order: t, place, speed_mps, heading_rad, yaw_dps, lateral_mps2,
    is_on. Parked, it says so once an hour."""
    parts = []
    for number, drive in enumerate(car.drives):
        on = np.ones(len(drive.t), bool)
        on[-1] = False
        parts.append((drive.t, drive.place, drive.speed_mps, drive.heading_rad, drive.yaw_dps,
                      drive.lateral_mps2, on))
        until = (car.drives[number + 1].t[0] if number + 1 < len(car.drives)
                 else (drive.t[-1] // DAY_S + 1) * DAY_S)
        t = np.arange(drive.t[-1] + PARKED_EVERY_S, until - 60, PARKED_EVERY_S)
        rest = np.ones(len(t))
        parts.append((t, np.repeat(drive.place[-1:], len(t), axis=0), 0 * rest,
                      drive.heading_rad[-1] * rest, 0 * rest, 0 * rest, rest < 0))
    names = ("t", "place", "speed_mps", "heading_rad", "yaw_dps", "lateral_mps2", "is_on")
    return dict(zip(names, (np.concatenate(part) for part in zip(*parts, strict=True)),
                    strict=True))


def batches(car, midnight_us):
    """ReportBatches of one boot."""
    told = reports_of(car)
    count = len(told["t"])
    head = (b"\x08\x01" + b"\x11" + (car.number + 1).to_bytes(8, "little") + b"\x1a\x052.0.0")
    edges = sorted({*range(0, count, BATCH_REPORTS), *(e for e in (128, 16_384) if e < count),
                    count})
    return [head + _encode(told, first, last, midnight_us)
            for first, last in zip(edges[:-1], edges[1:], strict=True)]


def _encode(told, first, last, midnight_us):
    size = 1 if last <= 128 else 2 if last <= 16_384 else 3
    fields = [(name, kind, size) if name == "seq" else (name, kind, *rest)
              for name, kind, *rest in _FIELDS]
    rows = np.zeros(last - first, np.dtype([("tag", "u1"), ("length", "u1"), *fields]))
    rows["tag"], rows["length"] = 0x52, rows.dtype.itemsize - 2
    for name, tag in _TAGS.items():
        rows[name] = tag
    part = {name: values[first:last] for name, values in told.items()}
    rows["seq"] = _varints(np.arange(first, last), size).reshape(rows["seq"].shape)
    rows["time"] = _varints(part["t"] * 1_000_000 + midnight_us, 8)
    rows["speed_kmh"] = part["speed_mps"] * 3.6
    rows["lateral_mps2"], rows["yaw_dps"] = part["lateral_mps2"], part["yaw_dps"]
    rows["is_ignition_on"] = part["is_on"]
    rows["latitude"], rows["longitude"] = s2.to_degrees(part["place"])
    rows["heading_deg"] = np.degrees(part["heading_rad"])
    return rows.tobytes()
