"""Who spoke for whom: the authority ledger against the journals and the alerts, without any of our
C++. The invariants are those of docs/decisions/0009-authority-by-lot.md."""

import collections
import json
import sqlite3

import accounts
import journals
import xxhash
from segments import wire_values

LOTS = 10_002


def lot_of(order, vehicle_ref):
    """`order` has salt, always and never; docs/formats/config-record.md has test vectors."""
    if vehicle_ref in order["never"]:
        return LOTS - 1
    if vehicle_ref in order["always"]:
        return 0
    bytes_ = order["salt"].encode() + b"\0" + bytes.fromhex(vehicle_ref)
    return 1 + xxhash.xxh3_64_intdigest(bytes_) % 10_000


def shares(orders, per_10000):
    """A function that tells whether a vehicle is in the share of any of the orders."""
    return lambda vehicle: any(lot_of(order, vehicle) < per_10000 + 1 for order in orders)


def wait_published(installation, timeout_s=120):
    """Waits until every input that is durable now has been published, in every lane."""
    accounts.drain(installation, timeout_s, {"safety": ("publisher",)})


def _order(cohort):
    """A Cohort message of a config record (docs/formats/config-record.md)."""
    values = list(wire_values(cohort))
    texts = [value for number, value in values if number == 2]
    return {"salt": texts[0].decode() if texts else "",
            "always": {value.hex() for number, value in values if number == 3},
            "never": {value.hex() for number, value in values if number == 4}}


def read(installation):
    """(rows of the ledger, {order number: order})."""
    path = installation.data / "publish" / "alerts.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute("SELECT * FROM ledger ORDER BY number")]
        orders = {row["order_number"]: _order(row["cohort"])
                  for row in database.execute("SELECT order_number, cohort FROM orders")}
    return rows, orders


def tiles(rows):
    """What breaks "one release for each lot at each offset". An order changes only where one lane
    has all lots, so a lot's rows follow each other without a hole whatever the orders."""
    wrong = []
    by_partition = collections.defaultdict(list)
    for row in rows:
        by_partition[row["partition"]].append(row)
    for partition, own in sorted(by_partition.items()):
        edges = sorted({edge for row in own for edge in (row["lot_from"], row["lot_to"])} | {0})
        for low in edges:
            if low == LOTS:
                continue
            covering = sorted((row for row in own if row["lot_from"] <= low < row["lot_to"]),
                              key=lambda row: (row["from_offset"], row["number"]))
            if not covering or covering[-1]["to_offset"] is not None:
                wrong.append(f"partition {partition} lot {low}: nobody speaks now")
            for one, following in zip(covering, covering[1:]):
                if one["to_offset"] != following["from_offset"]:
                    wrong.append(f"partition {partition} lot {low}: {one['to_offset']} then "
                                 f"{following['from_offset']}")
    return wrong


def speaker(rows, orders):
    """A function (partition, vehicle, offset) -> rows that cover it."""
    by_partition = collections.defaultdict(list)
    for row in rows:
        by_partition[row["partition"]].append(row)

    def covering(partition, vehicle, offset):
        return [row for row in by_partition[partition]
                if row["from_offset"] <= offset
                and (row["to_offset"] is None or offset < row["to_offset"])
                and row["lot_from"] <= lot_of(orders[row["order_number"]], vehicle) < row["lot_to"]]
    return covering


def names(installation):
    """{(output id of a journal, authority_epoch): (id of the alert, what is added to the revision)}
    of the episodes that go on with an alert that was open at a flip."""
    path = installation.data / "publish" / "alerts.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return {(output_id, epoch): (published_id, added)
                for output_id, epoch, published_id, added in database.execute(
                    "SELECT output_id, authority_epoch, published_id, revision_added "
                    "FROM episode_ids")}


def merged(installation):
    """({(output id, revision): (release, authority_epoch, subject)} that the ledger calls for,
    inputs with none or two speakers). A subject is a rule and a vehicle."""
    rows, orders = read(installation)
    covering = speaker(rows, orders)
    given = names(installation)
    wanted, torn = {}, []
    for release in sorted({row["release"] for row in rows}):
        for output in journals.outputs(installation, release):
            found = covering(output.partition, output.vehicle_ref, output.input_offset)
            if len(found) != 1:
                torn.append(f"partition {output.partition} offset {output.input_offset}: "
                            f"{len(found)} speakers")
            elif found[0]["release"] == release:
                epoch = found[0]["authority_epoch"]
                alert, added = given.get((output.output_id, epoch), (output.output_id, 0))
                key = (alert, output.revision + added)
                if key in wanted:
                    torn.append(f"{alert.hex()} revision {key[1]} is two outputs'")
                wanted[key] = (release, epoch, (output.rule, output.vehicle_ref))
    return wanted, torn


def published(installation):
    """{(output id, revision): [(release, authority_epoch, subject), …]} of every change ever
    published."""
    path = installation.data / "publish" / "alerts.db"
    found = collections.defaultdict(list)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        for output_id, epoch, revision, data in database.execute(
                "SELECT output_id, authority_epoch, revision, data FROM alert_changes"):
            line = json.loads(data)
            found[(output_id, revision)].append(
                (line["release"], epoch, (line["rule"], line["vehicle_ref"])))
    return found


def problems(installation):
    """What breaks the invariants, in words; journals must hold everything still."""
    rows, _ = read(installation)
    wrong = tiles(rows)
    wanted, torn = merged(installation)
    there = published(installation)
    wrong += torn
    for key, versions in there.items():
        if len(versions) > 1:
            wrong.append(f"{key[0].hex()} revision {key[1]} was published {len(versions)} times")
        if key in wanted and versions[0] != wanted[key]:
            wrong.append(f"{key[0].hex()} revision {key[1]}: by {versions[0]}, the ledger says "
                         f"{wanted[key]}")
    subjects = collections.defaultdict(set)
    for (output_id, _), versions in there.items():
        subjects[output_id] |= {subject for _, _, subject in versions}
    wrong += [f"{output_id.hex()} is of {len(of)} subjects"
              for output_id, of in subjects.items() if len(of) > 1]
    lost = wanted.keys() - there.keys()
    extra = there.keys() - wanted.keys()
    wrong += [f"{key[0].hex()} revision {key[1]} was not published" for key in sorted(lost)[:5]]
    wrong += [f"{key[0].hex()} revision {key[1]} came from nobody" for key in sorted(extra)[:5]]
    return wrong
