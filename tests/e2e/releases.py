"""Second releases of an installation, and config records that name them, signed as control does.

Bytes as docs/formats/config-record.md and release-manifest.md say, with protoc and openssl.
"""

import hashlib
import json
import pathlib
import socket
import struct
import subprocess
import tempfile

from segments import wire_values
from telltale import ROOT

# DER of an Ed25519 private key, up to its 32 bytes.
PRIVATE_DER = bytes.fromhex("302e020100300506032b657004220420")


def protoc(mode, message, data, proto="internal/v1/internal.proto"):
    return subprocess.run(
        ["protoc", "-I", ROOT / "src" / "contract", f"--{mode}=telltale.internal.v1.{message}",
         proto], input=data, capture_output=True, check=True).stdout


def octets(data):
    """As protobuf's text format wants bytes."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def stable_of(installation):
    """The release that `telltale init` put in force."""
    (folder,) = [path for path in (installation.data / "releases").iterdir()]
    return folder.name


def install(installation, release, edit):
    """Another release with the rules of `release` after `edit`; returns its id."""
    folder = installation.data / "releases" / release
    manifest = json.loads((folder / "manifest.json").read_text())
    rules = edit((folder / "rules.yaml").read_text()).encode()
    manifest["components"]["rules"] = hashlib.sha256(rules).hexdigest()
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    other = hashlib.sha256(text.encode()).hexdigest()
    (folder.parent / other).mkdir()
    (folder.parent / other / "rules.yaml").write_bytes(rules)
    (folder.parent / other / "manifest.json").write_text(text)
    return other


def install_like(installation, release, comment):
    """Another release with the same rules but for a comment; returns its id."""
    return install(installation, release, lambda rules: f"{rules}# {comment}\n")


def newest_config(installation):
    """The newest config record that is kept: a SignedConfig."""
    return max((installation.data / "log" / "config").iterdir()).read_bytes()


def put_in_force(installation, stable, rollout="", previous=""):
    """Signs the config after the newest one, sends it, and returns its number.

    `rollout`: text form of its fields; {began} stands for the number of this config.
    """
    old = dict(wire_values(dict(wire_values(newest_config(installation)))[1]))
    number = old[1] + 1
    text = (f"config_seq: {number} environment: {octets(old[2])} contract_number: {old[3]} "
            f"contract_digest: {octets(old[4])} stable_release: {octets(stable.encode())} "
            f"created_at_us: {old[6]} previous_release: {octets(previous.encode())} ")
    if rollout:
        text += f"rollout {{ {rollout.replace('{began}', str(number))} }}"
    record = protoc("encode", "ConfigRecord", text.encode())
    public = bytes.fromhex((installation.dir / "keys/control.pub").read_text().split()[0])
    envelope = protoc("encode", "SignedConfig", (
        f"record: {octets(record)} signature: {octets(sign(installation, record))} "
        f"key_id: {octets(hashlib.sha256(public).digest()[:8])}").encode())
    answer = ask(installation.dir / "run/log/append.sock", envelope)
    assert b"ok: true" in protoc("decode", "AppendReply", answer, "internal/v1/local.proto"), answer
    return number


def sign(installation, data):
    key = bytes.fromhex((installation.dir / "keys/control.key").read_text().split()[0])
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "key.der").write_bytes(PRIVATE_DER + key)
        (place / "data").write_bytes(data)
        return subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey",
             place / "key.der", "-in", place / "data"], capture_output=True, check=True).stdout


def ask(path, frame):
    """One frame to a local socket, and the one that answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(struct.pack("<I", len(frame)) + frame)
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack_from("<I", data)[0]:
            got = connection.recv(65536)
            assert got, "it hung up"
            data += got
        return data[4:]


def write_sources(folder, name, edits=(), more_rules="", declared=""):
    """Sources of a release: the shipped rules with each (old, new) of `edits` put in place."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    rules = (ROOT / "release" / "default" / "rules.yaml").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in rules, f"the shipped rules no longer have: {old}"
        rules = rules.replace(old, new)
    (folder / "rules.yaml").write_text(rules + more_rules, encoding="utf-8")
    (folder / "release.yaml").write_text(f"version: 1\nname: {name}\n{declared}", encoding="utf-8")
    return folder
