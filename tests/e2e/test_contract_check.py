"""`telltale contract check` and `publish`: verdicts, exits, formats; nothing is rewritten."""

import hashlib
import json
import os
import pty
import shutil
import subprocess

import pytest

from telltale import ROOT, TELLTALE

HEAD = 'syntax = "proto3";\npackage p;\n'
OLD = HEAD + "message M {\n  optional int32 a = 1;\n  optional int32 b = 2;\n}\n"
BROKEN = HEAD + "message M {\n  optional int32 a = 1;\n  optional int64 b = 2;\n}\n"
ADDED = HEAD + ("message M {\n  optional int32 a = 1;\n  optional int32 b = 2;\n"
                "  repeated int32 c = 3;\n}\n")
OURS = ('syntax = "proto3";\npackage telltale.v1;\nimport "telltale/v1/options.proto";\n'
        "message R {{\n  optional float a = 1 [(field) = {{privacy: PRECISE}}];\n{}}}\n")


def contract(*arguments, **environment):
    return subprocess.run([TELLTALE, "contract", *map(str, arguments)], capture_output=True,
                          text=True, timeout=20, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def ours(tmp_path):
    """A folder with our options and one message that uses them; ours(more) changes the message."""
    folder = tmp_path / "contract"
    options = ROOT / "contract" / "telltale" / "v1" / "options.proto"
    write(folder / "telltale" / "v1" / "options.proto", options.read_text(encoding="utf-8"))

    def change(more="", approvals=None):
        write(folder / "telltale" / "v1" / "a.proto", OURS.format(more))
        if approvals is not None:
            write(folder / "approvals.yaml", approvals)
        return folder

    change()
    return change


def publish(history, candidate, author="ann"):
    return contract("publish", "--history", history, "--candidate", candidate, "--author", author)


def check(history, candidate, *arguments):
    return contract("check", "--history", history, "--candidate", candidate, *arguments)


def test_a_file_against_a_file_is_told_with_place_rule_and_remedy(tmp_path):
    old, new = write(tmp_path / "old.proto", OLD), write(tmp_path / "new.proto", BROKEN)
    told = contract("check", old, new)
    assert told.returncode == 1
    assert told.stdout.startswith(f"{new}:5:3: REJECT type-changed (rule 5) p.M.b\n")
    assert "add field 3 beside it" in told.stdout
    assert told.stdout.endswith("rejected: 1 REJECT, 0 WARN, 0 NOTE against 1 earlier version\n")
    assert "\033" not in told.stdout
    accepted = contract("check", old, write(new, ADDED))
    assert accepted.returncode == 0
    assert accepted.stdout.startswith("accepted: 0 REJECT")


def test_json_and_annotations_say_the_same(tmp_path):
    old, new = write(tmp_path / "old.proto", OLD), write(tmp_path / "a,b.proto", BROKEN)
    told = contract("check", old, new, "--format", "json")
    assert told.returncode == 1
    judged = json.loads(told.stdout)
    assert judged["verdict"] == "rejected" and judged["compared_with"] == [str(old)]
    [finding] = judged["findings"]
    assert finding["rule"] == 5 and finding["id"] == "type-changed"
    assert (finding["file"], finding["line"], finding["column"]) == (str(new), 5, 3)
    assert finding["full_name"] == "p.M.b" and finding["verdict"] == "REJECT"
    github = contract("check", old, new, "--format", "github")
    assert github.returncode == 1
    shown = str(new).replace(",", "%2C")
    assert github.stdout.startswith(
        f"::error file={shown},line=5,col=3,title=REJECT type-changed (rule 5)::p.M.b: ")
    assert f"Instead: {finding['advice']}\n" in github.stdout


def test_what_cannot_be_judged_says_where_and_why(tmp_path):
    good = write(tmp_path / "good" / "a.proto", OLD)
    bad = write(tmp_path / "bad" / "a.proto", HEAD + "message M {\n  optional int32 = 1;\n}\n")
    told = contract("check", good.parent, bad.parent)
    assert told.returncode == 2
    assert f"{bad}:4:18: Expected field name." in told.stdout
    lonely = write(tmp_path / "lonely" / "a.proto", HEAD + 'import "x/y.proto";\n')
    told = contract("check", good.parent, lonely.parent, "--format", "github")
    assert told.returncode == 2
    assert f"::error file={lonely},line=3,col=1,title=could not judge::" in told.stdout
    assert "x/y.proto" in told.stdout
    told = contract("check", tmp_path / "none", good)
    assert told.returncode == 2 and "none" in told.stderr
    told = contract("check", good)
    assert told.returncode == 2 and "--history DIR --candidate DIR" in told.stderr


def test_descriptor_sets_are_versions_too(tmp_path):
    old = write(tmp_path / "c" / "a.proto", OLD)
    assert publish(tmp_path / "h", old.parent).returncode == 0
    [desc] = (tmp_path / "h").glob("*.desc")
    assert contract("check", desc, old.parent).returncode == 0
    write(old, BROKEN)
    assert contract("check", desc, old.parent).returncode == 1


def on_terminal(arguments, **environment):
    """What a command prints to a terminal."""
    leader, follower = pty.openpty()
    with subprocess.Popen([TELLTALE, "contract", *map(str, arguments)], stdout=follower,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment}) as process:
        os.close(follower)
        printed = b""
        try:
            while piece := os.read(leader, 4096):
                printed += piece
        except OSError:
            pass  # the other end closed
        os.close(leader)
        process.wait(timeout=20)
    return printed.decode()


def test_colours_are_for_terminals_that_want_them(tmp_path):
    arguments = ("check", write(tmp_path / "old.proto", OLD), write(tmp_path / "new.proto", BROKEN))
    assert "\033[31mREJECT\033[0m" in on_terminal(arguments, NO_COLOR="")
    assert "\033" not in on_terminal(arguments, NO_COLOR="1")


def test_publish_appends_and_never_rewrites(tmp_path):
    candidate, history = tmp_path / "c", tmp_path / "h"
    proto = write(candidate / "a.proto", OLD)
    first = publish(history, candidate)
    assert first.returncode == 0 and "ann published" in first.stderr
    [one] = history.iterdir()
    digest = hashlib.sha256(one.read_bytes()).hexdigest()
    assert one.name == f"0001-{digest[:12]}.desc"
    unchanged = publish(history, candidate)
    assert unchanged.returncode == 0 and "nothing changed since 0001" in unchanged.stderr
    write(proto, BROKEN)
    refused = publish(history, candidate)
    assert refused.returncode == 1 and "nothing was published" in refused.stderr
    assert list(history.iterdir()) == [one]
    write(proto, ADDED)
    assert publish(history, candidate).returncode == 0
    before, after = sorted(history.iterdir())
    assert before == one and hashlib.sha256(one.read_bytes()).hexdigest() == digest
    assert after.name.startswith("0002-")


def test_every_published_version_counts(tmp_path):
    candidate, history = tmp_path / "c", tmp_path / "h"
    proto = write(candidate / "a.proto", OLD)
    publish(history, candidate)
    write(proto, ADDED)
    publish(history, candidate)
    write(proto, BROKEN)
    told = check(history, candidate, "--format", "json")
    assert told.returncode == 1
    found = {(one["id"], one["version"]) for one in json.loads(told.stdout)["findings"]}
    assert found == {("type-changed", "0001"), ("field-removed", "0002")}


def test_a_history_that_was_touched_cannot_be_judged(tmp_path):
    candidate, history = tmp_path / "c", tmp_path / "h"
    proto = write(candidate / "a.proto", OLD)
    publish(history, candidate)
    write(proto, ADDED)
    publish(history, candidate)
    first, second = sorted(history.iterdir())
    kept = first.read_bytes()
    first.write_bytes(kept + b"\0")
    told = check(history, candidate)
    assert told.returncode == 2 and f"{first}: its SHA-256 begins with" in told.stdout
    first.unlink()
    told = check(history, candidate)
    assert told.returncode == 2 and f"{second}: 0001 is missing before it" in told.stdout
    assert publish(history, candidate).returncode == 2


APPROVED = """approvals:
  - field: telltale.v1.R.b
    change: open
    author: ann
    approvers: [{}]
    reason: cabin temperature says nothing of who or where
"""
OPEN = "  optional float b = 2 [(field) = {privacy: OPEN}];\n"


def test_a_new_open_field_needs_somebody_else(tmp_path, ours):
    history = tmp_path / "h"
    publish(history, ours())
    assert "open-unapproved" in check(history, ours(OPEN)).stdout
    assert check(history, ours(OPEN, APPROVED.format("ann"))).returncode == 1
    accepted = check(history, ours(OPEN, APPROVED.format("bob")))
    assert accepted.returncode == 0 and "approved by bob" in accepted.stdout
    assert publish(history, ours(), author="bob").returncode == 0  # without b: unchanged
    assert publish(history, ours(OPEN), author="bob").returncode == 1  # bob is the author then
    assert publish(history, ours(OPEN), author="ann").returncode == 0
    [copy] = history.glob("0002-*.approvals.yaml")
    assert "telltale.v1.R.b" in copy.read_text(encoding="utf-8")
    assert check(history, ours(OPEN)).returncode == 0


def test_an_approval_is_good_for_one_version(tmp_path, ours):
    history = tmp_path / "h"
    text = "  optional string b = 2 [(field) = {{privacy: OPEN {}}}];\n"
    publish(history, ours())
    assert publish(history, ours(text.format('values: "x"'),
                                 APPROVED.format("bob"))).returncode == 0
    told = check(history, ours(text.format('values: "x" values: "y"')))
    assert told.returncode == 1 and "open-widened" in told.stdout


def test_mistakes_in_approvals_have_their_line(tmp_path, ours):
    history = tmp_path / "h"
    publish(history, ours())
    for text, what in (("approvals: [", "not YAML"), ("x: 1", "one key, `approvals`"),
                       (APPROVED.format("bob").replace("open", "opne"), "`open` or `lower`"),
                       (APPROVED.format(""), "`approvers`, a list of names"),
                       (APPROVED.format("bob").replace("reason", "because"), "unknown key")):
        told = check(history, ours(OPEN, text))
        assert told.returncode == 2, told.stdout
        assert f"{ours() / 'approvals.yaml'}:" in told.stdout and what in told.stdout


def test_a_contract_that_no_door_loads_is_rejected(tmp_path):
    candidate, history = tmp_path / "contract", tmp_path / "h"
    shutil.copytree(ROOT / "contract" / "telltale", candidate / "telltale")
    assert publish(history, candidate).returncode == 0
    path = candidate / "telltale" / "v1" / "telemetry.proto"
    text = path.read_text(encoding="utf-8")
    write(path, text.replace("message Report {", "message Report {\n  optional float new_c = 9 "
                             '[(field) = {privacy: PRECISE unit: "Cel" min: 2 max: 1}];', 1))
    told = check(history, candidate, "--format", "json")
    assert told.returncode == 1
    assert "min is above max" in json.loads(told.stdout)["unloadable"]
