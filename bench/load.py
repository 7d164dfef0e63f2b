"""A load_bench process: an open loop that is told rates and answers with what came of them."""

import json
import queue
import subprocess
import threading

CONNECT_S = 60
PATIENCE_S = 30


class Load:
    def __init__(self, program, kind, *words):
        self.kind = kind
        self.process = subprocess.Popen(
            [program, kind, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)  # fmt: skip
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def hear(self, timeout_s):
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"load_bench {self.kind}: no answer in {timeout_s} s") from None
        assert line is not None, f"load_bench {self.kind} ended"
        return line

    def connected(self):
        assert "connected" in self.hear(CONNECT_S)
        return self

    def begin(self, rate, seconds, events_per_s=0):
        self.process.stdin.write(f"run {rate} {seconds} {events_per_s}\n")
        self.process.stdin.flush()

    def run(self, rate, seconds, events_per_s=0):
        self.begin(rate, seconds, events_per_s)
        return self.hear(seconds + PATIENCE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
