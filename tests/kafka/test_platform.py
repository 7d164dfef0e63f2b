"""The whole platform with its streams on a real broker."""

import json
import subprocess

import accounts
from feed import FeedFollower
from telltale import BUILD
from test_alerts import VIN, Car, braking
from waiting import wait_for

LINKED = ["bin/telltale", "libexec/telltale/telltale-worker"]
NOT_LINKED = ["libexec/telltale/telltale-lake", "libexec/telltale/telltale-vault"]


def served(new_installation, broker):
    return new_installation().init(*broker.init_words(), lake__cadence_s=1).start()


def test_only_the_two_programs_that_may_are_linked_with_kafka():
    def loads_it(name):
        shown = subprocess.run(["ldd", BUILD / name], capture_output=True, text=True, check=True)
        return "librdkafka" in shown.stdout

    assert [name for name in LINKED if not loads_it(name)] == []
    assert [name for name in NOT_LINKED if loads_it(name)] == []


def test_a_report_becomes_an_alert_a_row_and_a_sealed_place(new_installation, broker, tmp_path):
    site = served(new_installation, broker)
    car = Car(site, tmp_path)
    with FeedFollower(lambda: site.feed_port) as follower:
        car.publish(car.batch(braking(6.5), latitude_deg=[47.5] * 6, longitude_deg=[8.5] * 6))
        wait_for("the alert at the follower", follower.opened)
        accounts.drain(site)
    refs = accounts.references(site)
    assert sum(accounts.lake_identities(site).values()) == 6
    assert len(accounts.vault_places(site, refs[VIN], case="kafka-1")) == 6
    # At the offsets that Kafka gave: what lies here says the same as what lies there.
    there = json.loads(site.run("log", "count", "--dir", site.dir, "--json").stdout)
    assert there["streams"]["telemetry"]["data"] == 6


def test_nothing_is_acknowledged_while_the_broker_is_away(new_installation, own_broker, tmp_path):
    site = served(new_installation, own_broker)
    car = Car(site, tmp_path)
    car.publish(car.batch([-0.5]))
    own_broker.kill()
    waiting = car.start_publishing(car.batch([-0.5, -0.4]))
    wait_for(
        "the gateway to say that its log stands",
        lambda: "stalled_shards" in _conditions(site),
        timeout_s=60,
    )
    assert waiting.poll() is None, "it was acknowledged with the broker away"
    own_broker.start()
    assert waiting.wait(timeout=60) == 0
    accounts.drain(site)
    assert sum(accounts.lake_identities(site).values()) == 3


def _conditions(site):
    path = site.dir / "run" / "gateway.conditions"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_after_a_restart_everything_goes_on_where_it_was(new_installation, broker, tmp_path):
    site = served(new_installation, broker)
    car = Car(site, tmp_path)
    car.publish(car.batch([-0.5, -0.4]))
    accounts.drain(site)
    site.stop()
    site.start()
    for role in ("gateway", "worker", "lake-feed"):
        before = site.kill(role)
        site.wait_restarted(role, before)
    car.publish(car.batch([-0.3]))
    accounts.drain(site)
    lake = accounts.lake_identities(site)
    assert len(lake) == 3 and set(lake.values()) == {1}
