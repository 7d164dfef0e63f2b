"""A vault by hand: speaks docs/formats/vault-socket.md as far as subject rights ask, from a script
of answers, and keeps what it was asked. For installations that are served --without vault."""

import json
import os
import socket
import struct
import threading


class VaultDouble:
    """Answers on `path` until stop(). `keys` and `files` are what it says of an erasure."""

    def __init__(self, path):
        self.path = path
        self.keys, self.files = "destroyed", "done"
        self.due_by_us = 0
        self.asked = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(path))
        path.chmod(0o666)  # as the vault's: who asks may be the platform's user
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.may_answer.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._listener.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with connection:
            head = connection.recv(4, socket.MSG_WAITALL)
            if len(head) < 4:
                return
            request = json.loads(connection.recv(struct.unpack("<I", head)[0],
                                                 socket.MSG_WAITALL))
            self.asked.append(request)
            self.may_answer.wait(timeout=30)
            answer = json.dumps(self._answer(request)).encode()
            try:
                connection.sendall(struct.pack("<I", len(answer)) + answer)
            except OSError:
                pass  # who asked was killed

    def _answer(self, request):
        if request["op"] == "erase":
            return {"kind": "end", "keys": self.keys, "files": self.files,
                    "due_by": self.due_by_us, "exports": 0}
        if request["op"] == "presence":
            return {"kind": "end", "hours": 3}
        return {"kind": "error", "code": "invalid", "message": "op must be erase or presence"}
