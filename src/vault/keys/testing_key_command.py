#!/usr/bin/python3
"""A key service for the tests, as `vault.keys.command` calls one: keys are files in the folder
beside this script's link, named `keys`. What it wraps has an HMAC and a key stream of SHA-256.

How it misbehaves says the file `mode` there: hang, lie, chatter, fail, garbage.
"""

import hashlib
import hmac
import pathlib
import secrets
import signal
import sys

NO_SUCH_KEY, DOES_NOT_OPEN = 3, 4
HERE = pathlib.Path(sys.argv[0]).parent
KEYS = HERE / "keys"


def key_of(name):
    path = KEYS / name
    if not path.exists():
        sys.exit(NO_SUCH_KEY)
    return path.read_bytes()


def mask(key, nonce, plain):
    stream = hashlib.sha256(key + b"stream" + nonce).digest()
    return bytes(one ^ other for one, other in zip(plain, stream))


def tag(key, nonce, sealed, context):
    return hmac.digest(key, nonce + sealed + context, "sha256")


def main():
    KEYS.mkdir(exist_ok=True)
    mode = (HERE / "mode").read_text() if (HERE / "mode").exists() else ""
    if mode == "hang":
        signal.pause()
    if mode == "fail":
        print("secret-looking words", file=sys.stderr)
        sys.exit(9)
    if mode == "garbage":
        print("well, let me see")
        print("not hex", end="")
        return
    if mode == "chatter":
        print("a" * 100_000)
        return
    verb, *names = sys.argv[1:]
    if verb == "create":
        name = f"key-{len(list(KEYS.iterdir()))}-{secrets.token_hex(4)}"
        (KEYS / name).write_bytes(secrets.token_bytes(32))
        print(name)
    if verb == "list":
        for path in sorted(KEYS.iterdir()):
            print(path.name)
    if verb == "destroy":
        key_of(names[0])
        (KEYS / names[0]).unlink()
    if verb in ("wrap", "unwrap"):
        data, context = (bytes.fromhex(line.strip()) for line in sys.stdin)
        key = key_of(names[0])
        if verb == "wrap":
            nonce = secrets.token_bytes(16)
            sealed = mask(key, nonce, data)
            print((nonce + sealed + tag(key, nonce, sealed, context)).hex())
            return
        nonce, sealed, said = data[:16], data[16:48], data[48:]
        if not hmac.compare_digest(tag(key, nonce, sealed, context), said):
            sys.exit(DOES_NOT_OPEN)
        print(secrets.token_hex(32) if mode == "lie" else mask(key, nonce, sealed).hex())


main()
