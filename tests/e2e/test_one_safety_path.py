"""A release that changes features alone: it goes its way and becomes stable while the one worker
that computes the alerts runs on, and speaks for it."""

import pytest

from feed import FeedFollower
from telltale import ROOT
from test_alerts import Car
from test_two_releases import told
from trial import Trial, build_and_push, demo_policy, write_release
from waiting import wait_for

BRAKING = [-0.5, -4.1, -5, -4.2, -4.1, -0.5]
POLICY = demo_policy((5000, 0, 0), (10000, 0, 0), warm_up_s=3600, window_s=3600)


@pytest.fixture
def trial(tmp_path_factory):
    made = Trial(tmp_path_factory.mktemp("t"), ("prod",))
    made.init("--partitions", 1, "--shards", 1)
    made.start()
    yield made
    made.end_everything()


def features_release(folder, name):
    """The shipped rules and features, but for a remark in one of them."""
    made = write_release(folder, name)
    (made / "features").mkdir()
    for path in (ROOT / "features").glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        more = f"-- {name}\n" if path.stem == "crank_dip" else ""
        (made / "features" / path.name).write_text(text + more, encoding="utf-8")
    return made


def in_force(control):
    """Stable and previous, of the config that the log has."""
    [place] = control.get("/v1/status")["environments"]
    return place["stable"], place["previous"]


def test_a_release_of_features_alone_arrives_with_the_worker_that_runs(trial, tmp_path):
    site = trial.home
    control = trial.register({"prod": POLICY})
    control.put("/v1/policies/at-once", demo_policy((10000, 0, 0), warm_up_s=1))
    car = Car(site, tmp_path)
    with FeedFollower(lambda: site.feed_port) as feed:
        def brake(count):
            car.publish(car.batch(BRAKING))
            return wait_for("one more alert", lambda: (
                feed.opened()[-1] if len(feed.opened()) == count else None)).alert["release"]

        speaker = brake(1)
        [before] = told(site).values()
        release = build_and_push(site, features_release(tmp_path, "more-features"))
        rollout = control.promote("prod", release, "prod")
        # An hour's warm-up is waited for by nobody: nothing has to get warm.
        arrived = control.wait_phase(rollout["id"], ("window",))
        assert (arrived["speaker"], arrived["stable_speaker"]) == (speaker, speaker)
        wait_for("it to be stable", lambda: in_force(control) == (release, speaker))
        assert brake(2) == speaker

        [only] = told(site).values()
        assert (only["pid"], only["restarts"]) == (before["pid"], 0)
        assert only["speaks_for"] == [release]

        # One that decides otherwise has its own worker, and the way back from it is the speaker's.
        rules = build_and_push(site, write_release(tmp_path, "rules", more_rules="# a remark\n"))
        rollout = control.promote("prod", rules, "at-once")

        def arrives():
            car.publish(car.batch([-0.5, -1.0, -0.5]))
            return control.get(f"/v1/rollouts/{rollout['id']}")["phase"] == "window"
        wait_for("the next one to be stable", arrives)
        wait_for("the config to say so", lambda: in_force(control) == (rules, release))
        assert brake(3) == rules
        back = control.post("/v1/environments/prod/rollback", {"reason": "a test"})
        assert back["partitions"] == {"flipped": 1, "pending": 0}
        wait_for("the way back", lambda: in_force(control) == (release, ""))
        assert brake(4) == speaker
        wait_for("the other worker to be gone", lambda: list(told(site)) == [speaker])
        [after] = told(site).values()
        assert (after["pid"], after["restarts"]) == (before["pid"], 0), "it ran throughout"
        assert not (site.data / "journal" / release).exists(), "it never computed"
