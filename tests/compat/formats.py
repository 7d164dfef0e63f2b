"""Where each format's golden files lie; how to raise a copy's minimum reader (docs/versions.md)."""

import contextlib
import json
import pathlib
import re
import shutil
import sqlite3
import struct

HERE = pathlib.Path(__file__).resolve().parent
SEGMENT_HEAD_CRC_AT = 8
SEGMENT_BYTES_AT = 48
NEWER = 2

# Format -> the places below an installation's folder that hold it.
PLACES = {
    "durable-map": ["data/log/durable.map"],
    "ledger": ["data/log/ledger"],
    "segment": ["data/log/*/shard-*/*.seg"],
    "journal": ["data/journal/*/durable.map", "data/journal/*/ledger",
                "data/journal/*/*/shard-*/*.seg"],
    "position": ["data/positions/*/*"],
    "snapshot": ["data/worker/*/*.snapshot"],
    "handoff": ["data/lake/handoff/*.json", "data/lake/handoff/*.state"],
    "registry-db": ["data/registry/registry.db"],
    "alerts-db": ["data/publish/alerts.db"],
    "config-record": ["data/control/first-config"],
    "release": ["data/releases/*/*", "data/contracts/*.desc"],
    # As it was pushed: manifest, declaration, signature. Its components are whole programs.
    "pushed-release": ["data/control/releases/*/*"],
    "control-db": ["data/control/control.db"],
    "control-tokens": ["data/control/tokens.json"],
    "vault-segment": ["vault/segments/*/*.seg", "vault/segments/*/*/*.seg"],
    "vault-db": ["vault/vault.db"],
    # Without `reserve`, which is room alone.
    "key-tree": ["vault/keys/tree/*[!e]", "vault/keys/root/*"],
    "vault-ledger": ["vault/ledger/*", "vault/ledger/*/*"],
    "access-db": ["vault/access.db"],
    "vault-state": ["vault/state"],
    "hour-key": ["vault/keys/hours/*.key"],
    "audit-log": ["vault/audit/audit.log"],
    # No formats of ours, but what the others are read with. The keys were made for this alone and
    # carry the demonstration's mark.
    "keys": ["keys/*.pub", "keys/transport.bundle", "vault/keys/seal.key",
             "vault/keys/transport/*.key", "vault/gateways/*.pub"],
    "table": ["data/lake/catalog.db", "data/lake/warehouse/*/metadata/*",
              "data/lake/warehouse/*/data/*/*.parquet"],
}
# Of a vault of version 1, which later ones take over at their first start.
ONLY_IN_V1 = {"vault-state", "hour-key"}
NOT_IN_V1 = {"vault-db", "key-tree", "vault-ledger", "access-db"}
SINCE_V3 = {"pushed-release", "control-db", "control-tokens"}
IN_LOGS = ("segment", "journal")  # their segments are longer than what is written in them


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def versions():
    return sorted(path.name for path in HERE.iterdir() if re.fullmatch(r"v\d+", path.name))


def _copy(path, copy, name):
    if path.suffix == ".db":
        # Whole in one file, whatever lay in the write-ahead log beside it.
        with contextlib.closing(sqlite3.connect(path)) as source:
            with contextlib.closing(sqlite3.connect(copy)) as target:
                source.backup(target)
        return
    content = path.read_bytes()
    # Preallocated and never written: zeros, which restore() puts back.
    is_log = name in IN_LOGS and path.suffix == ".seg"
    copy.write_bytes(content.rstrip(b"\0") if is_log else content)


def places(version):
    """Format -> patterns of those that a version's set holds."""
    missing = NOT_IN_V1 if version == "v1" else ONLY_IN_V1
    if version in ("v1", "v2"):
        missing = missing | SINCE_V3
    return {name: patterns for name, patterns in PLACES.items() if name not in missing}


def save(folder, version):
    """Copies the files of every format out of an installation; refuses a set that is there."""
    target = HERE / version
    if target.exists():
        raise SystemExit(f"{target} is there already: golden files are never overwritten")
    for name, patterns in places(version).items():
        found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
        if not found:
            raise SystemExit(f"{folder} holds no {name}: nothing was written")
    for name, patterns in places(version).items():
        files = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
        for path in (path for path in files if path.is_file()):
            copy = target / name / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy(path, copy, name)


def restore(version, folder):
    for name in places(version):
        shutil.copytree(HERE / version / name, folder, dirs_exist_ok=True)
    patterns = [pattern for name in IN_LOGS for pattern in PLACES[name] if ".seg" in pattern]
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        with open(path, "r+b") as segment:
            head = segment.read(SEGMENT_BYTES_AT + 8)
            segment.truncate(struct.unpack_from("<Q", head, SEGMENT_BYTES_AT)[0])


def place(folder, name, suffix=""):
    """The first file of a format below an installation's folder."""
    found = [path for pattern in PLACES[name] for path in sorted(folder.glob(pattern))
             if path.name.endswith(suffix)]
    return found[0]


def _patch(path, at, form, value, crc_at, start, end=None):
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, at, value)
    if crc_at is not None:
        where = len(content) + crc_at if crc_at < 0 else crc_at
        stop = where if end == "crc" else end
        struct.pack_into("<I", content, where, crc32c(content[start:stop]))
    path.write_bytes(content)


def raise_head(path):
    """Magic of 8 bytes, CRC at 8, minimum reader at 18: durable.map and segments."""
    head_bytes = struct.unpack_from("<I", path.read_bytes()[:16], 12)[0]
    _patch(path, 18, "<H", NEWER, SEGMENT_HEAD_CRC_AT, 12, head_bytes)


def raise_ledger(path):
    _patch(path, 10, "<H", NEWER, None, 0)


def raise_position(path):
    _patch(path, 10, "<H", NEWER, 4, 8)


def raise_snapshot(path):
    _patch(path, 10, "<H", NEWER + 1, -4, 0, "crc")


def raise_state(path):
    _patch(path, 6, "<H", NEWER, -4, 0, "crc")


def raise_vault_segment(path):
    _patch(path, 5, "<B", NEWER + 1, 76, 0, "crc")


def raise_vault_state(path):
    _patch(path, 5, "<B", NEWER, -4, 0, "crc")


def raise_hour_key(path):
    _patch(path, 5, "<B", NEWER, 60, 0, "crc")


def raise_handoff(path):
    document = json.loads(path.read_text())
    document["min_reader"] = NEWER
    path.write_text(json.dumps(document) + "\n")


def raise_tokens(path):
    document = json.loads(path.read_text())
    document["format"] = NEWER
    path.write_text(json.dumps(document))


def raise_schema(path):
    """To a version that no program reads yet, however far the databases have come."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {NEWER + 97}")
