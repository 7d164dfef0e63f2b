"""A follower of the alert feed as a user would write one: server-sent events, resumed by id."""

import dataclasses
import http.client
import json
import socket
import threading
import time


@dataclasses.dataclass(frozen=True)
class Arrival:
    number: int  # the change's number, the event's id
    at_us: int  # when this client had it
    alert: dict


class FeedFollower:
    """Follows from the first change until stop(); reconnects with the last id it saw."""

    RETRY_S = 0.05

    def __init__(self, port_of):
        """`port_of` is called at each connection: the publisher may come back elsewhere."""
        self.arrivals = []
        self._port_of = port_of
        self._ended = threading.Event()
        self._socket = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._ended.set()
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was closed already
        self._thread.join(timeout=10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def changes(self):
        """Every change that arrived, in order."""
        return [arrival.alert for arrival in list(self.arrivals)]

    def opened(self):
        """The first change of each alert."""
        return [arrival for arrival in list(self.arrivals) if arrival.alert["revision"] == 1]

    def _run(self):
        while not self._ended.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException, AssertionError):
                pass  # the publisher is away; come back with the last id
            self._ended.wait(self.RETRY_S)

    def _follow(self):
        last = self.arrivals[-1].number if self.arrivals else 0
        connection = http.client.HTTPConnection("127.0.0.1", self._port_of(), timeout=30)
        headers = {"Last-Event-ID": str(last), "Accept": "text/event-stream"}
        connection.request("GET", "/v1/alerts/feed", headers=headers)
        # http.client forgets the socket once a reply says that it is the last.
        self._socket = connection.sock
        reply = connection.getresponse()
        number = None
        while not self._ended.is_set():
            line = reply.readline()
            if not line:
                return
            at_us = time.time_ns() // 1000
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            if name == "id":
                number = int(value)
            elif name == "data":
                self.arrivals.append(Arrival(number, at_us, json.loads(value)))
