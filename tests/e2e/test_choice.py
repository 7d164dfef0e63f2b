"""What a vehicle chose is dropped at the door, from offsets that the registry can name."""

import json

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


def choice(installation, car, *wishes):
    verb = "set" if wishes else "show"
    done = installation.run("vehicles", "choice", verb, "--dir", installation.dir,
                            "--vin", car.vin, "--json", *wishes)
    return json.loads(done.stdout)


def in_force(installation, car):
    wait_for("the choice in force", lambda: choice(installation, car)["in_force"])
    return choice(installation, car)["in_force"]


def counter(installation, name):
    return installation.counters("gateway").get(f"drops_total.gateway.{name}", 0)


def test_off_is_dropped_at_the_door_and_counted_and_on_brings_it_back(served, tmp_path):
    car = Car(served, tmp_path)
    event = now_us()
    car.publish(f"{BOOT} {report(0, event)}")
    ref = car.ref()
    assert choice(served, car)["choice_number"] == 0
    changed = choice(served, car, "--precise", "off", "--behaviour", "off")
    assert changed["holds"] == {"precise": "off", "cell": "on", "behaviour": "off"}
    force = in_force(served, car)
    car.publish(f"{BOOT} {report(1, event + 1)} {report(2, event + 2)}")
    wait_for("both drops counted", lambda: counter(served, "choice_precise_off") == 2
             and counter(served, "choice_behaviour_off") == 2)
    choice(served, car, "--precise", "default", "--behaviour", "on")
    wait_for("the next choice in force",
             lambda: (choice(served, car)["in_force"] or force)["choice_number"]
             > force["choice_number"])
    car.publish(f"{BOOT} {report(3, event + 3)}")
    wait_for("the position after", lambda: len(rows(served, ref)) == 2)
    assert [row["seq"] for row in rows(served, ref)] == [0, 3]
    shown = choice(served, car)
    assert shown["earlier"][0]["choice_number"] == force["choice_number"]
    assert shown["in_force"]["telemetry_offset"] >= force["telemetry_offset"] + 2
    assert shown["in_force"]["sealed_offset"] >= force["sealed_offset"]


def test_a_choice_survives_kill_9_of_the_gateway_and_reconnects(served, tmp_path):
    car = Car(served, tmp_path)
    event = now_us()
    car.publish(f"{BOOT} {report(0, event)}")
    ref = car.ref()
    choice(served, car, "--precise", "off")
    force = in_force(served, car)
    for seq in (1, 2, 3):
        (served.dir / "run" / "gateway.port").unlink()
        before = served.kill("gateway")
        served.wait_restarted("gateway", before)
        car.publish(f"{BOOT} {report(seq, event + seq)}")
    assert in_force(served, car) == force, "what was said first stays"
    choice(served, car, "--precise", "on")
    wait_for("the next choice in force", lambda: (choice(served, car)["in_force"] or force)
             ["choice_number"] > force["choice_number"])
    car.publish(f"{BOOT} {report(4, event + 4)}")
    wait_for("the position after", lambda: len(rows(served, ref)) == 2)
    assert [row["seq"] for row in rows(served, ref)] == [0, 4]


def test_a_choice_made_while_nothing_runs_holds_from_the_first_report(served, tmp_path):
    car = Car(served, tmp_path)
    event = now_us()
    car.publish(f"{BOOT} {report(0, event)}")
    ref = car.ref()
    wait_for("the position before", lambda: len(rows(served, ref)) == 1)
    served.stop()
    choice(served, car, "--precise", "off", "--cell", "off")
    served.start()
    car.publish(f"{BOOT} {report(1, event + 1)}")
    wait_for("the drop counted", lambda: counter(served, "choice_cell_off") == 1)
    assert counter(served, "choice_precise_off") == 1
    assert in_force(served, car)["choice_number"] == choice(served, car)["choice_number"]
    assert len(rows(served, ref)) == 1


def test_an_environment_may_say_off_for_all_who_said_nothing(tmp_path):
    installation = Installation().init(lake__cadence_s=1)
    installation.set(choice__precise="off")
    try:
        installation.start()
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        silent, willing = Car(installation, tmp_path / "a"), Car(installation, tmp_path / "b")
        event = now_us()
        silent.publish(f"{BOOT} {report(0, event)}")
        willing.publish(f"{BOOT} {report(0, event)}")
        choice(installation, willing, "--precise", "on")
        in_force(installation, willing)
        willing.publish(f"{BOOT} {report(1, event + 1)}")
        ref = willing.ref()
        wait_for("the position of who said on", lambda: len(rows(installation, ref)) == 1)
        assert rows(installation, silent.ref()) == []
        wait_for("both drops counted", lambda: counter(installation, "choice_precise_off") == 2)
        installation.stop()
        installation.remove()
    finally:
        installation.end_everything()
