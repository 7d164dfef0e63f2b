"""telltale-lake shares its process with Arrow's wheel, which carries an OpenSSL of its own. Nothing
of ours may call into it, and no system OpenSSL may be loaded beside it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()
LAKE = BUILD / "libexec" / "telltale" / "telltale-lake"

OPENSSL = re.compile(
    r"^(SSL|TLS|DTLS|EVP|CRYPTO|X509|BIO|OPENSSL|ERR|RSA|EC|DH|DSA|PEM|ASN1|PKCS\d*|RAND|HMAC"
    r"|SHA\d+|AES|BN|OSSL|CONF|ENGINE|OCSP|d2i|i2d)_"
)
BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `([^']+)'")


@pytest.fixture(scope="module")
def bindings() -> list[tuple[str, str, str]]:
    """(from, to, symbol) of every symbol the loader resolves, all of them at once."""
    assert LAKE.exists(), f"there is no {LAKE}: run `make build` first"
    done = subprocess.run(
        [LAKE, "--help"],
        env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"},
        capture_output=True,
        check=True,
    )
    found = BINDING.findall(done.stderr.decode(errors="replace"))
    assert len(found) > 1000
    return found


def test_the_wheel_is_what_the_test_thinks_it_is(bindings) -> None:
    """The positive control: the wheel exports OpenSSL, and the loader binds to the wheel."""
    wheel = {to for _, to, _ in bindings if "/libparquet.so" in to or "/libarrow.so" in to}
    assert len(wheel) == 2
    symbols = "".join(
        subprocess.run(["nm", "-D", "--defined-only", file], capture_output=True, text=True,
                       check=True).stdout
        for file in wheel
    )
    assert len([s for s in re.findall(r" T (\w+)", symbols) if OPENSSL.match(s)]) > 100


def test_no_openssl_symbol_resolves_across_the_wheels_edge(bindings) -> None:
    crossing = [
        (source, target, symbol)
        for source, target, symbol in bindings
        if OPENSSL.match(symbol) and ("pyarrow" in source) != ("pyarrow" in target)
    ]
    assert crossing == []


def test_no_other_openssl_is_loaded_and_protobuf_does_not_cross_either(bindings) -> None:
    loaded = {Path(name).name for pair in bindings for name in pair[:2]}
    assert not [name for name in loaded if re.match(r"lib(ssl|crypto|s2|rdkafka)\b", name)]
    protobuf = [
        symbol
        for source, target, symbol in bindings
        if "6google8protobuf" in symbol and ("pyarrow" in source) != ("pyarrow" in target)
    ]
    assert protobuf == []


def test_the_program_needs_no_tls_library() -> None:
    needed = subprocess.run(["readelf", "-d", LAKE], capture_output=True, text=True, check=True)
    assert "libarrow" in needed.stdout
    assert not re.search(r"lib(ssl|crypto|s2|rdkafka)", needed.stdout)
