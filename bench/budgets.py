"""The budgets of the first version (design: budgets) and what each row of the bench is."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. `figure` names the value that is held against `budget`."""

    name: str
    what: str
    figure: str
    unit: str
    budget: float | None = None
    is_most: bool = False  # the budget is an upper limit

    def is_met(self, value):
        if self.budget is None or value is None:
            return None
        return value <= self.budget if self.is_most else value >= self.budget


ROWS = (
    Row("hot_path", "door to durable to safety, in process, per core",
        "reports_per_cpu_s", "reports/s", 300_000),
    Row("door", "through MQTT/TLS, QoS 1, batches of 50 reports, highest rate sustained",
        "sustained_per_s", "reports/s", 100_000),
    Row("equal", "the same at 20,000 reports/s for all: scheduled send to acknowledgement, p99",
        "p99_ms", "ms", is_most=True),
    Row("everything", "everything together incl. lake, vault, worker and publisher, sustained",
        "reports_per_s", "reports/s", 60_000),
    Row("alert", "event to alert at half of the door's rate, p99",
        "p99_ms", "ms", 100, is_most=True),
    Row("parquet", "telemetry rows into Parquet, per core, 20 of 137 columns set",
        "rows_per_cpu_s", "rows/s", 300_000),
    Row("idle", "memory of an idle TLS connection", "kib_each", "KiB", 50, is_most=True),
)  # fmt: skip
BY_NAME = {row.name: row for row in ROWS}

# Rows of the design's table that nothing here can measure yet, and why.
NOT_YET = (
    ("flip: decision to sinks fenced, p99", "10 s",
     "a show measures it: tests/shows/releases-04-flips"),
    ('"outside the window?" for 10 M vehicles', "1 s", "the vault has no such question yet"),
    ("the 5 % shadow in the row `everything`", "-", "the bench runs one release"),
)

# A rate is sustained when p99 from the scheduled send stays below this, what is under way at the
# end of the schedule is less than the rate makes in that time, and all of it is acknowledged.
SUSTAINED_P99_MS = 100
SUSTAINED_BACKLOG_S = 0.1


def is_sustained(run):
    return (
        not run["overrun"]
        and run["acked"] == run["sent"]
        and run["p99_ms"] < SUSTAINED_P99_MS
        and run["backlog_at_end"] <= SUSTAINED_BACKLOG_S * run["rate"]
    )
