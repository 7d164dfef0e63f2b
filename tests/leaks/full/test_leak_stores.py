"""The control in the platform's own stores: a car that writes its place into open fields is found
wherever those go, through segments, Parquet, statistics, manifests and the coverage table."""

import fnmatch

import accounts
import leaky_cars
import pytest
from leak_run import LeakRun
from leaky_cars import Car, batch, head, single
from test_gateway import Keys

# Open in the lake too, and wide enough for both coordinates: currents of the batteries.
LOW_CURRENT, HIGH_CURRENT = 101, 113
STORES = {
    "data/log/telemetry/shard-*/*.seg": "float32-le",
    "data/lake/warehouse/telemetry/data/*.parquet": "near-pair",
    "data/lake/warehouse/telemetry/metadata/*-m0.avro": "near",
    "data/lake/warehouse/shadow/shadow_*_telemetry/data/*.parquet": "near-pair",
    "data/lake/warehouse/shadow/shadow_*_telemetry/metadata/*-m0.avro": "near",
    "data/lake/warehouse/coverage/data/*.parquet": "near",
    "data/lake/warehouse/coverage/metadata/*-m0.avro": "near",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    with LeakRun(tmp_path_factory.mktemp("stores"), 20260109, 2) as run:
        one = run.secrets[0]
        keys = Keys(run.installation, run.cars)
        car = Car(keys, keys.issue(one.vin), run.installation.mqtt_port)
        rates = single(LOW_CURRENT, one.latitude) + single(HIGH_CURRENT, one.longitude)
        car.publish(batch(1, [head(seq) + rates for seq in range(3)]))
        car.wait_acks(1)
        car.leave()
        accounts.drain(run.installation)
        run.shadow()
        run.installation.stop()
        yield run.scan()


@pytest.mark.parametrize("glob", STORES)
def test_a_place_in_open_fields_is_found_in_each_store_that_keeps_them(report, glob):
    found = {
        hit["form"]
        for hit in report.hits
        if hit["canary"] == "place 0" and fnmatch.fnmatch(hit["path"], glob)
    }
    assert STORES[glob] in found


def test_the_secrets_of_a_car_that_said_nothing_are_not_found(report):
    assert {hit["canary"] for hit in report.hits} == {"place 0"}
    assert leaky_cars.secrets_of(20260109, 2)[1].vin not in repr(report)
