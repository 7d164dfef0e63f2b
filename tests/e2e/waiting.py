"""The only place in the tests that sleeps: polls until something is so, or says what was not."""

import time

POLL_S = 0.02


class NotInTime(AssertionError):
    """What was waited for did not happen before the deadline."""


def wait_for(what, condition, timeout_s=20.0, poll_s=POLL_S):
    """Calls `condition` until it returns something true, and returns that.

    `what` completes the sentence "waited N s for ...". An exception from `condition` is not
    caught: a condition that can tell that it will never be so raises, and the wait ends at once.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise NotInTime(f"waited {timeout_s:g} s for {what}; last seen: {value!r}")
        time.sleep(poll_s)


def wait_for_file(path, timeout_s=20.0):
    """The text of `path` once it exists and is not empty."""
    def text():
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
    return wait_for(f"{path} to be written", text, timeout_s)


def let_run(seconds):
    """Lets the system run: the pace of an experiment (kills at random moments, a load), never a
    way to wait for something, which is wait_for()."""
    time.sleep(seconds)
