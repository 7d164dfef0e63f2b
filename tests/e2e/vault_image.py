"""The vault's folder as someone with the disk and nothing else sees it: opens keys and frames by
docs/formats/vault-keys.md and vault-segment.md with OpenSSL's libcrypto, no code of ours."""

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import pathlib
import struct

TAG = 16
REFS = "vehicles"
CLASSES = {0: "legacy", 1: "position", 2: "quarantine", 3: "refused", 4: "unknown", 5: "export",
           6: "hold"}
POSITION, HOLD, OF_VEHICLES = 1, 6, 255


class WrongKey(ValueError):
    """The tag does not fit: another key, other bytes, or another place."""


def _libcrypto():
    library = ctypes.CDLL(ctypes.util.find_library("crypto"))
    library.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    library.EVP_aes_256_gcm.restype = ctypes.c_void_p
    return library


CRYPTO = _libcrypto()


def open_gcm(key, nonce, bound, sealed):
    """AES-256-GCM; WrongKey unless key, nonce and bound bytes are those it was sealed with."""
    context = ctypes.c_void_p(CRYPTO.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(CRYPTO.EVP_aes_256_gcm())
    size = ctypes.c_int()
    body, tag = sealed[:-TAG], ctypes.create_string_buffer(sealed[-TAG:], TAG)
    out = ctypes.create_string_buffer(len(body) + TAG)
    call = CRYPTO.EVP_DecryptUpdate
    try:
        CRYPTO.EVP_DecryptInit_ex(context, cipher, None, key, nonce)
        call(context, None, ctypes.byref(size), bound, len(bound))
        call(context, out, ctypes.byref(size), body, len(body))
        CRYPTO.EVP_CIPHER_CTX_ctrl(context, 0x11, TAG, tag)
        if CRYPTO.EVP_DecryptFinal_ex(context, out, ctypes.byref(size)) != 1:
            raise WrongKey
    finally:
        CRYPTO.EVP_CIPHER_CTX_free(context)
    return out.raw[: len(body)]


def hkdf(secret, salt, info):
    """HKDF-SHA256 (RFC 5869), 32 bytes."""
    drawn = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(drawn, info + b"\1", hashlib.sha256).digest()


def unwrap_gcm(key, wrapped, context):
    return open_gcm(key, wrapped[:12], context, wrapped[12:])


def root_keys_in_files(folder):
    """{id: key} of the file provider."""
    found = {}
    for path in pathlib.Path(folder).glob("*.key"):
        try:
            found[path.stem] = bytes.fromhex(path.read_text().split()[0])
        except (ValueError, IndexError):
            continue  # overwritten
    return found


def unwrap_with_files(folder):
    def unwrap(key_id, wrapped, context):
        keys = root_keys_in_files(folder)
        if key_id not in keys:
            raise WrongKey(f"no root key {key_id}")
        return unwrap_gcm(keys[key_id], wrapped, context)
    return unwrap


class Keys:
    """The key tree below a folder: hours {(class, hour): key} and vehicles {ref: key}."""

    def __init__(self, tree, unwrap):
        self.hours, self.vehicles = {}, {}
        tree = pathlib.Path(tree)
        root = (tree / "root").read_bytes()
        magic, _, _, name, key_id, generation, body, wrapped, _ = struct.unpack_from(
            "<4sBBBBQIHH", root)
        assert magic == b"TVKT", "not a root of keys"
        at = 24 + name
        self.root_key = root[at : at + key_id].decode()
        at += key_id
        file_key = unwrap(self.root_key, root[at : at + wrapped],
                          b"telltale vault root v2" + struct.pack("<Q", generation))
        at += wrapped
        plain = open_gcm(file_key, bytes(12), root[:at], root[at : at + body + TAG])
        _, pages = struct.unpack_from("<II", plain)
        for number in range(pages):
            self._page(tree, *struct.unpack_from("<BqQ32s", plain, 8 + 49 * number))

    def _page(self, tree, kind, number, generation, key):
        name = REFS if kind == OF_VEHICLES else CLASSES[kind]
        try:
            file = (tree / f"{name}-{number}.{generation}").read_bytes()
            plain = open_gcm(hkdf(key, file[40:72], b"telltale vault page v2"), bytes(12),
                             file[:72], file[72:])
        except (FileNotFoundError, WrongKey):
            return
        for slot in range(len(plain) // 48):
            first, secret = plain[48 * slot : 48 * slot + 16], plain[48 * slot + 16 :][:32]
            if not any(secret):
                continue
            if kind == OF_VEHICLES:
                self.vehicles[first] = secret
            else:
                self.hours[kind, 24 * number + slot] = secret


class Frame:
    def __init__(self, segment, head, sealed):
        self.segment, self.head, self.sealed = segment, head, sealed
        self.kind, self.vehicle, self.nonce = head[6], head[24:40], head[48:60]

    def open(self, hour_key, vehicle_key, ref=None):
        """[(seq, event time, basis, wire bytes)]; WrongKey with any other key."""
        number, hour, kind, partition, salt = self.segment
        info = b"telltale vault frame v2" + struct.pack("<QIBH", number, hour, kind, partition)
        key = hkdf(hour_key + vehicle_key, salt, info + (ref or self.vehicle))
        plain = open_gcm(key, self.nonce, self.segment.head + self.head, self.sealed)
        at = 4 + 8 + 8 + 2 + 8
        at += 4 + struct.unpack_from("<I", plain, at)[0]
        (count,) = struct.unpack_from("<I", plain, at)
        at += 4
        entries = []
        for _ in range(count):
            seq, event, basis, size = struct.unpack_from("<QqqI", plain, at)
            at += 28
            entries.append((seq, event, basis, plain[at : at + size]))
            at += size
        return entries


class Segment(tuple):
    """(number, hour, class, partition, salt) of a file, and its head."""

    def __new__(cls, head):
        kind = head[10]
        (hour,) = struct.unpack_from("<I", head, 12)
        (number,) = struct.unpack_from("<Q", head, 16)
        (partition,) = struct.unpack_from("<H", head, 56)
        made = super().__new__(cls, (number, hour, kind, partition, head[24:56]))
        made.head = head
        return made

    @property
    def hour_key_id(self):
        return self[2], self[1]


def frames(folder):
    """Every whole frame of version 2 below vault/segments."""
    for path in sorted(pathlib.Path(folder).rglob("*.seg")):
        try:
            file = path.read_bytes()
        except FileNotFoundError:
            continue
        if file[:4] != b"TVSG" or file[9] != 2:
            continue
        segment, at = Segment(file[:80]), 80
        while at + 64 <= len(file) and file[at : at + 4] != b"TVSX":
            head = file[at : at + 64]
            (size,) = struct.unpack_from("<I", head, 8)
            if head[4:6] != b"\x40\0" or size == 0:
                break
            yield Frame(segment, head, file[at + 64 : at + 64 + size])
            at += 64 + size


def open_with(keys, segments, ref):
    """Wire bytes of a vehicle's entries that open with these keys; (opened, frames that do not)."""
    opened, shut = [], 0
    for frame in frames(segments):
        if frame.vehicle != bytes.fromhex(ref):
            continue
        try:
            kind, number = frame.segment.hour_key_id
            vehicle = keys.vehicles.get(frame.vehicle)
            if kind == HOLD:
                name = b"telltale held vehicle" + struct.pack("<Q", number) + frame.vehicle
                vehicle = keys.vehicles.get(hashlib.sha256(name).digest()[:16])
            hour = keys.hours.get((kind, number))
            if hour is None or vehicle is None:
                raise WrongKey
            opened += [entry[3] for entry in frame.open(hour, vehicle)]
        except WrongKey:
            shut += 1
    return opened, shut


def try_every_key(keys, segments, ref):
    """As open_with(), but every pair of an hour's and a vehicle's key that there is."""
    opened = []
    for frame in frames(segments):
        if frame.vehicle != bytes.fromhex(ref):
            continue
        for hour in keys.hours.values():
            for vehicle in keys.vehicles.values():
                try:
                    opened += [entry[3] for entry in frame.open(hour, vehicle)]
                except WrongKey:
                    pass
    return opened


def holds_place(wires, latitude, longitude):
    needles = struct.pack("<d", latitude), struct.pack("<d", longitude)
    return sum(all(needle in wire for needle in needles) for wire in wires)


class Token:
    """A PKCS#11 token by its module, to unwrap as the vault's provider does. Its configuration
    (SOFTHSM2_CONF) must stand in the environment; used once a process, so that it looks anew."""

    def __init__(self, module, pin):
        self.module = ctypes.CDLL(module)
        self.session = ctypes.c_ulong()
        self._call("C_Initialize", None)
        count = ctypes.c_ulong(16)
        slots = (ctypes.c_ulong * 16)()
        self._call("C_GetSlotList", ctypes.c_ubyte(1), slots, ctypes.byref(count))
        for slot in slots[: count.value]:
            self._call("C_OpenSession", ctypes.c_ulong(slot), ctypes.c_ulong(6), None, None,
                       ctypes.byref(self.session))
            try:
                self._call("C_Login", self.session, ctypes.c_ulong(1), pin,
                           ctypes.c_ulong(len(pin)))
                return
            except OSError:
                continue
        raise OSError("no token takes the PIN")

    def _call(self, name, *arguments):
        code = getattr(self.module, name)(*arguments)
        if code != 0:
            raise OSError(f"{name}: 0x{code & 0xffffffff:x}")

    def labelled(self, label):
        """Handles of the objects with this label; all objects with None."""
        text = ctypes.create_string_buffer((label or "").encode())
        attribute = (ctypes.c_ulong * 3)(3, ctypes.addressof(text), len(label or ""))
        self._call("C_FindObjectsInit", self.session, attribute if label else None,
                   ctypes.c_ulong(1 if label else 0))
        handles, count = (ctypes.c_ulong * 64)(), ctypes.c_ulong()
        self._call("C_FindObjects", self.session, handles, ctypes.c_ulong(64), ctypes.byref(count))
        self._call("C_FindObjectsFinal", self.session)
        return list(handles[: count.value])

    def decrypt(self, handle, wrapped, context):
        nonce = ctypes.create_string_buffer(wrapped[:12], 12)
        bound = ctypes.create_string_buffer(context, len(context))
        parameters = (ctypes.c_ulong * 6)(ctypes.addressof(nonce), 12, 96,
                                          ctypes.addressof(bound), len(context), 128)
        mechanism = (ctypes.c_ulong * 3)(0x1087, ctypes.addressof(parameters), 48)
        self._call("C_DecryptInit", self.session, mechanism, ctypes.c_ulong(handle))
        out, size = ctypes.create_string_buffer(256), ctypes.c_ulong(256)
        sealed = wrapped[12:]
        try:
            self._call("C_Decrypt", self.session, sealed, ctypes.c_ulong(len(sealed)), out,
                       ctypes.byref(size))
        except OSError as error:
            raise WrongKey(str(error)) from None
        return out.raw[: size.value]

    def unwrap(self, key_id, wrapped, context):
        """By the key of that name; when there is none, by any key of the token."""
        handles = self.labelled(key_id) or self.labelled(None)
        for handle in handles:
            try:
                return self.decrypt(handle, wrapped, context)
            except (WrongKey, OSError):
                continue
        raise WrongKey(f"none of {len(handles)} keys of the token unwraps {key_id}")


def main(words):
    """vault_image.py MODULE PIN TREE SEGMENTS REF LATITUDE LONGITUDE: how many entries of the
    vehicle hold the place, opened with the token; in a process of its own."""
    module, pin, tree, segments, ref, latitude, longitude = words
    try:
        keys = Keys(tree, Token(module, pin.encode()).unwrap)
    except WrongKey as refused:
        print(f"0 {refused}")
        return
    opened, shut = open_with(keys, segments, ref)
    print(f"{holds_place(opened, float(latitude), float(longitude))} entries, {shut} frames shut")


if __name__ == "__main__":
    import sys

    os.environ.setdefault("SOFTHSM2_CONF", "/dev/null")
    main(sys.argv[1:])
