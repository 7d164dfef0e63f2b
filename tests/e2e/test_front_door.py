"""What a stranger meets first: `make` says what there is, and setting up twice costs nothing."""

import os
import subprocess

from telltale import ROOT

TARGETS = {"setup", "build", "demo", "test", "test-full", "bench", "shows", "lint", "clean"}


def make(*arguments):
    # Without the variables of a `make test` around this test.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)


def test_make_alone_lists_every_target_with_what_it_does():
    done = make()
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:]}
    assert TARGETS <= set(listed)
    assert all(len(words) >= 3 for words in listed.values())


def test_every_listed_target_can_be_made():
    for target in TARGETS - {"clean"}:
        done = make("--dry-run", target)
        assert done.returncode == 0, f"{target}: {done.stderr}"


def test_setup_with_nothing_to_do_says_nothing_and_succeeds():
    done = make("setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
