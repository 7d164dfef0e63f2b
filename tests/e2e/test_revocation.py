"""A certificate is taken back while the gateway runs: its car is out, the others notice nothing."""

import ssl

import pytest

from test_gateway import OTHER_VIN, VIN, Car, Keys, batch, refused, report, wait_refused
from waiting import wait_for

# The gateway looks every 2 s; the rest is for a busy machine.
SOON_S = 15


@pytest.fixture
def keys(installation, tmp_path):
    return Keys(installation, tmp_path)


def revoke(installation, pair):
    return installation.run("certificate", "revoke", "--dir", installation.dir, "--cert", pair[0])


def is_let_in(keys, pair, port):
    """Connects once; False when the handshake is refused or the connection ends without CONNACK."""
    try:
        car = Car(keys, pair, port, client_id="trial")
    except (ssl.SSLError, OSError):
        return False
    try:
        wait_for("an answer", lambda: car.ready.is_set() or car.closed.is_set())
        return car.ready.is_set() and not car.code.is_failure
    finally:
        car.leave()


def test_a_revoked_car_is_out_within_seconds_and_others_go_on(installation, keys):
    port = installation.mqtt_port
    mine, others = keys.issue(VIN), keys.issue(OTHER_VIN)
    car, other = Car(keys, mine, port), Car(keys, others, port)
    for boot, one in enumerate((car, other)):
        one.publish(batch(boot, [report(1)]))
        one.wait_acks(1)
    printed = revoke(installation, mine).stdout
    assert printed.strip() == str(installation.dir / "ca" / "vehicles.crl")
    wait_for("the revoked car to be put out", car.closed.is_set, SOON_S)
    wait_refused(installation, "revoked", 1)
    assert not is_let_in(keys, mine, port)
    wait_refused(installation, "revoked", 2)
    other.publish(batch(1, [report(2)]))
    other.wait_acks(2)
    assert not other.closed.is_set()
    assert refused(installation, "tls_handshake") == 0
    assert is_let_in(keys, keys.issue(VIN), port), "the vehicle with a new certificate"
    car.leave()
    other.leave()


def test_a_broken_list_changes_nothing_and_is_counted(installation, keys):
    port = installation.mqtt_port
    mine, others = keys.issue(VIN), keys.issue(OTHER_VIN)
    revoke(installation, mine)
    wait_for("the car to be refused", lambda: not is_let_in(keys, mine, port), SOON_S)
    authority_list = installation.dir / "ca" / "vehicles.crl"
    good = authority_list.read_text(encoding="utf-8")
    authority_list.write_text(good[: len(good) // 2], encoding="utf-8")
    wait_for(
        "the broken list to be counted",
        lambda: installation.counters("gateway").get("certificates_refused", 0) > 0,
        SOON_S,
    )
    assert not is_let_in(keys, mine, port)
    assert is_let_in(keys, others, port)
    assert "vehicles.crl" in installation.log_end()
    authority_list.write_text(good, encoding="utf-8")
    revoke(installation, others)
    wait_for("the next one to be refused", lambda: not is_let_in(keys, others, port), SOON_S)


def test_only_certificates_of_the_authority_can_be_revoked(installation, keys):
    foreign = keys.of_another_authority(VIN)
    done = installation.run(
        "certificate", "revoke", "--dir", installation.dir, "--cert", foreign[0], check=False
    )
    assert done.returncode != 0
    assert "another authority" in done.stderr
    assert not (installation.dir / "ca" / "vehicles.crl").exists()
