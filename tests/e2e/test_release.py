"""A release from its sources to a rehearsal: built, signed, pushed, compared, and run over what was
recorded, against what was published."""

import json
import sqlite3

import pytest

import accounts
from releases import write_sources
from test_alerts import Car

HARD, SOFT = -6.0, -4.2  # over 4.41 m/s2, and only over the 3.92 of the shipped rule
DECLARED = """declared:
  - rule: hard_braking
    fires_percent: [-30, -10]
    why: the level is raised to 0.45 g
"""


def sources(folder, name="softer-brakes", declared=DECLARED, level="4.41"):
    """A folder with the shipped rules, one level moved."""
    moved = ("level: {value: 3.92,", f"level: {{value: {level},")
    return write_sources(folder, name, [moved], declared=declared)


@pytest.fixture
def driven(installation, tmp_path):
    """An installation with eight hard and two softer brakings of one car, all published."""
    car = Car(installation, tmp_path)
    for peak in [HARD] * 8 + [SOFT] * 2:
        car.publish(car.batch([-0.5, peak, peak, peak, peak, -0.5]))
    accounts.drain(installation)
    return installation


def rehearse(installation, release, *words):
    return installation.run("rehearse", release, "--dir", installation.dir, "--last", "1h",
                            "--json", "--quiet", *words, check=False)


def published(installation):
    """output_id of every alert in the store."""
    database = sqlite3.connect(f"file:{installation.data}/publish/alerts.db?mode=ro", uri=True)
    try:
        return {row[0] for row in database.execute("SELECT output_id FROM alerts")}
    finally:
        database.close()


def test_a_release_is_built_the_same_each_time_and_pushed_only_when_it_is_signed(
        new_installation, tmp_path):
    installation = new_installation().init()
    folder = sources(tmp_path / "sources")

    def build(out, *words):
        done = installation.run("release", "build", folder, "--out", out, "--json", *words)
        return json.loads(done.stdout)

    unsigned = build(tmp_path / "a.ttr")
    signed = build(tmp_path / "b.ttr", "--dir", installation.dir)
    assert unsigned["id"] == signed["id"]
    assert (unsigned["signed"], signed["signed"]) == (False, True)

    def push(what):
        return installation.run("release", "push", what, "--dir", installation.dir, check=False)

    refused = push(tmp_path / "a.ttr")
    assert refused.returncode == 1 and "not signed" in refused.stderr
    installation.run("release", "key", "new", tmp_path / "stranger")
    installation.run("release", "sign", tmp_path / "a.ttr", "--key", tmp_path / "stranger.key")
    assert "not trusted" in push(tmp_path / "a.ttr").stderr
    assert push(tmp_path / "b.ttr").returncode == 0

    listed = json.loads(installation.run("release", "list", "--dir", installation.dir,
                                         "--json").stdout)["items"]
    assert [(one["name"], one["signed_by"]) for one in listed if one["name"]] == [
        ("softer-brakes", "local")]
    assert len(listed) == 2, "that of init and this one"
    installation.run("release", "verify", "softer-brakes", "--dir", installation.dir)

    blob = installation.data / "control" / "blobs" / signed["components"]["rules"]
    blob.write_bytes(blob.read_bytes().replace(b"4.41", b"4.42"))
    broken = installation.run("release", "verify", "softer-brakes", "--dir", installation.dir,
                              check=False)
    assert broken.returncode == 1 and "corrupt" in broken.stderr


def test_a_diff_names_the_rule_the_key_and_both_values(new_installation, tmp_path):
    installation = new_installation().init()
    folder = sources(tmp_path / "sources")
    installation.run("release", "push", folder, "--dir", installation.dir)
    diff = json.loads(installation.run("release", "diff", "stable", "softer-brakes", "--dir",
                                       installation.dir, "--json").stdout)
    [rule] = diff["rules"]
    assert rule == {"name": "hard_braking", "change": "changed",
                    "keys": [{"key": "level", "before": "3.92 m/s2", "after": "4.41 m/s2"}]}
    assert diff["dual_run"]["safety"] and not diff["dual_run"]["telemetry"]
    assert diff["contract"]["verdict"] == "same"
    assert diff["declared"][0]["in_words"] == "fires 10 to 30 % less"
    text = installation.run("release", "diff", "stable", folder, "--dir", installation.dir).stdout
    assert "    level: 3.92 m/s2 -> 4.41 m/s2\n" in text


def test_a_rule_that_cannot_run_is_refused_when_it_is_built(new_installation, tmp_path):
    installation = new_installation().init()
    folder = sources(tmp_path / "sources", level="-1")
    done = installation.run("release", "build", folder, "--out", tmp_path / "a.ttr", check=False)
    assert done.returncode == 1 and "rules.yaml" in done.stderr and "line" in done.stderr
    assert not (tmp_path / "a.ttr").exists()


def test_a_rehearsal_holds_a_release_to_what_it_declared(driven, tmp_path):
    driven.run("release", "push", sources(tmp_path / "sources"), "--dir", driven.dir)
    done = rehearse(driven, "softer-brakes", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    [rule] = [one for one in report["rules"] if one["rule"] == "hard_braking"]
    assert (report["verdict"], report["outcome"]) == ("pass", "as_declared")
    assert [rule[key] for key in ("published", "rehearsed", "same", "missing", "extra")] == [
        10, 8, 8, 2, 0]
    assert rule["says"] == "fires 20.0 % less" and report["vehicles_affected"] == 1
    assert json.loads((tmp_path / "out" / "rehearsal.json").read_text()) == report
    records = driven.data / "control" / "rehearsals"
    [kept] = records.glob(f"{report['release']}-*.json")
    assert json.loads(kept.read_text()) == report
    assert not (driven.data / "rehearsal").exists(), "the copy of the records is gone"

    # The release in force says again what it said.
    done = rehearse(driven, "stable")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "same"
    assert json.loads(done.stdout)["rules"][0]["same"] == 10

    # The same change without a word about it.
    silent = sources(tmp_path / "silent", name="silent", declared="")
    done = rehearse(driven, silent)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["outcome"]) == ("fail", "not_as_declared")
    assert report["rules"][0]["verdict"] == "not_declared"
    assert len(published(driven)) == 10, "a rehearsal publishes nothing"


def test_a_rehearsal_without_records_judges_nothing(installation, tmp_path):
    done = rehearse(installation, sources(tmp_path / "sources"))
    assert done.returncode == 2 and "nothing to judge by" in done.stderr


def test_a_rehearsal_with_an_engine_that_ends_judges_nothing_and_leaves_nothing(driven, tmp_path):
    folder = sources(tmp_path / "sources")
    driven.run("release", "build", folder, "--out", tmp_path / "a.ttr", "--engine", "/bin/false")
    done = rehearse(driven, tmp_path / "a.ttr")
    assert done.returncode == 2 and "exited with code 1" in done.stderr
    assert not (driven.data / "rehearsal").exists()
