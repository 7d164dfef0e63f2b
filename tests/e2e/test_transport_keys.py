"""Dated keys of the stream `sealed`: rotated while cars send; without one there is no PUBACK."""

import json
import subprocess

import pytest

from telltale import Installation
from test_vault import BOOT, Car, now_us, report, rows
from waiting import wait_for


@pytest.fixture
def served():
    installation = Installation().init(lake__cadence_s=1)
    try:
        installation.start()
        yield installation
        installation.stop()
        installation.remove()
    finally:
        installation.end_everything()


def keys(installation, *arguments, check=True):
    return installation.run("vault", "transport-keys", *arguments, check=check)


def listed(installation):
    return json.loads(keys(installation, "list", "--dir", installation.dir, "--json").stdout)


def counter(installation, name):
    counters = json.loads((installation.dir / "run/counters/gateway.json").read_text())
    return counters.get(name, 0)


def test_keys_rotate_online_and_offline_and_every_position_opens(served, tmp_path):
    car = Car(served, tmp_path)
    event = now_us()
    car.publish(f"{BOOT} {report(0, event)}")
    first = listed(served)
    assert first["bundle"] == 1 and first["warning"] == ""
    assert [key["state"] for key in first["keys"]] == ["in use"] + ["to come"] * 12

    idle = keys(served, "rotate", "--dir", served.dir, "--when-left", "14").stdout
    assert "nothing to do" in idle and listed(served) == first
    keys(served, "rotate", "--dir", served.dir, "--days", "30")
    assert [key["state"] for key in listed(served)["keys"]] == ["valid", "in use"] + ["to come"] * 4

    # The offline key lives elsewhere: made here, signed there, installed here.
    elsewhere = tmp_path / "elsewhere.key"
    (served.dir / "offline" / "vault_offline.key").rename(elsewhere)
    lost = keys(served, "rotate", "--dir", served.dir, check=False)
    assert lost.returncode != 0 and "vault_offline.key" in lost.stderr
    unsigned, signed = tmp_path / "next.bundle", tmp_path / "signed.bundle"
    keys(served, "rotate", "--dir", served.dir, "--unsigned", unsigned)
    refused = keys(served, "install", "--dir", served.dir, "--in", unsigned, check=False)
    assert refused.returncode != 0 and "not signed" in refused.stderr
    keys(served, "sign", "--key", elsewhere, "--in", unsigned, "--out", signed)
    keys(served, "install", "--dir", served.dir, "--in", signed)
    assert listed(served)["bundle"] == 3

    served.stop()  # a new gateway seals for the newest key at once
    served.start()
    car.publish(f"{BOOT} {report(1, event + 1)}")
    ref = car.ref()
    wait_for("both positions in the vault", lambda: len(rows(served, ref)) == 2)


def test_without_a_key_nothing_is_acknowledged_until_the_next_bundle(served, tmp_path):
    car = Car(served, tmp_path)
    (served.dir / "keys" / "transport.bundle").unlink()
    served.stop()
    served.start()
    event = now_us()
    with pytest.raises(subprocess.SubprocessError):
        car.publish(f"{BOOT} {report(0, event)}")
    wait_for("the refusal counted",
             lambda: counter(served, "drops_total.gateway.no_transport_key") >= 1)
    assert counter(served, "transport_keys_missing") == 1
    assert "ALARM: no transport key" in served.log_path.read_text()
    keys(served, "rotate", "--dir", served.dir)
    assert listed(served)["bundle"] == 2, "it follows the lost one"
    wait_for("a key in force", lambda: counter(served, "transport_keys_missing") == 0)
    car.publish(f"{BOOT} {report(0, event)}")
    ref = car.ref()
    wait_for("the position in the vault", lambda: len(rows(served, ref)) == 1)
