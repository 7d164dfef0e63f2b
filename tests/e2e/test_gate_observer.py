"""The role `gate` over a real installation: whose outputs are missing and whose are extra, of which
vehicles; an identical candidate has none; killed in between it counts the same."""

import json

import pytest

import releases
from test_two_releases import VINS, Cars
from waiting import wait_for

FAST = """
  - name: fast
    kind: threshold
    fields: [speed_kmh]
    direction: above
    level: {value: 60, unit: km/h}
    hold_ms: 100
    reset_percent: 80
    severity:
      - {from: {value: 60, unit: km/h}, severity: LOW}
"""


@pytest.fixture
def site(new_installation):
    return new_installation().init(lake__cadence_s=1, gate__lateness_s=1).start(
        "--without", "lake,committer,vault")


@pytest.fixture
def cars(site, tmp_path):
    return Cars(site, tmp_path)


def begin(installation, stable, candidate, rollout):
    releases.put_in_force(
        installation, stable,
        f'id: "{rollout}" candidate: "{candidate}" shadow_lots: 10002 began_config_seq: {{began}} '
        f'order {{ salt: "{rollout}" }}')
    wait_for("its evidence to be there", lambda: evidence(installation, rollout))
    wait_for("the candidate to be heard", lambda: any(
        one["name"] == "candidate_journal" for one in evidence(installation, rollout)["sources"]))


def evidence(installation, rollout):
    path = installation.data / "gate" / rollout / "evidence.json"
    return json.loads(path.read_text()) if path.exists() else None


def counts(installation, rollout, metric="rule/hard_braking"):
    found = [one for one in evidence(installation, rollout)["paired"] if one["metric"] == metric]
    return found[0]["counts"] if found else {"stable_fired": 0, "candidate_fired": 0}


def brake_until(cars, condition, what):
    """Brakes now and then: what came before the candidate was warm does not count."""
    def tried():
        cars.brake()
        return condition()
    wait_for(what, tried, timeout_s=40, poll_s=1.5)


def test_an_identical_candidate_differs_nowhere_and_a_killed_observer_counts_the_same(site, cars):
    stable = releases.stable_of(site)
    begin(site, stable, releases.install_like(site, stable, "the same rules"), "same-1")
    brake_until(cars, lambda: counts(site, "same-1")["stable_fired"] == 2, "both cars to be paired")
    before = site.kill("gate")
    site.wait_restarted("gate", before)
    written = evidence(site, "same-1")["basis"]["as_of_us"]
    cars.brake()
    wait_for("evidence of the next observer",
             lambda: evidence(site, "same-1")["basis"]["as_of_us"] > written)
    wait_for("the same cars", lambda: counts(site, "same-1")["stable_fired"] == 2)
    seen = evidence(site, "same-1")
    for one in seen["paired"]:
        assert (one["counts"]["missing"], one["counts"]["extra"]) == (0, 0), one
    assert counts(site, "same-1")["candidate_fired"] == 2
    wait_for("the cars to have driven",
             lambda: evidence(site, "same-1")["exposure"]["vehicles"] == 2)
    assert evidence(site, "same-1")["exposure"]["driving_s"] > 0
    assert not [one for one in seen["invariants"] if one["candidate"]["breaches"]]
    assert [one["invariant"] for one in seen["invariants"] if not one["watched_to_us"]] == []


def test_a_candidate_that_hears_nothing_and_says_something_else_shows_both(site, cars):
    stable = releases.stable_of(site)
    deaf = releases.install(site, stable,
                            lambda rules: rules.replace("value: 3.92, unit: m/s2}\n    hold",
                                                        "value: 39, unit: m/s2}\n    hold") + FAST)
    begin(site, stable, deaf, "deaf-1")
    brake_until(cars, lambda: counts(site, "deaf-1")["stable_fired"] == 2, "both cars to be missed")
    wait_for("both to be extra", lambda: counts(site, "deaf-1", "rule/fast").get("extra") == 2)
    seen = evidence(site, "deaf-1")
    refs = sorted(cars.ref(vin) for vin in VINS)
    for metric, side in (("rule/hard_braking", "missing"), ("rule/fast", "extra")):
        (one,) = [one for one in seen["paired"] if one["metric"] == metric]
        assert one["counts"][side] == 2
        assert sorted(told["vehicle"] for told in one["examples"]) == refs
        assert {told["side"] for told in one["examples"]} == {side}
    text = (site.data / "gate" / "deaf-1" / "evidence.json").read_text()
    assert not any(vin in text for vin in VINS)
    releases.put_in_force(site, stable)
    wait_for("the rollout to be over", lambda: not (site.data / "gate/deaf-1/state").exists())
    assert evidence(site, "deaf-1")["basis"]["candidate"] == deaf
