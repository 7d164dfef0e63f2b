"""What control answers in the middle of a rollout: three environments, prod at its second stage."""

import datetime

STABLE, CANDIDATE, OLD = "3f" * 32, "c4" * 32, "0a" * 32
NOW = datetime.datetime.now(datetime.UTC)
RULES = [("hard_braking", 412, 398, 405), ("forward_collision", 37, 37, 36),
         ("brake_overheating", 8, 11, 8), ("airbag_deployed", 1, 1, 1)]


def ago(seconds):
    return (NOW - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def micros(seconds_ago):
    return int((NOW.timestamp() - seconds_ago) * 1e6)


def alert(number):
    severity = ("LOW", "MEDIUM", "HIGH", "CRITICAL")[number % 4]
    name = RULES[number % len(RULES)][0]
    is_open = number % 3 != 0
    one = {"output_id": f"{number:032x}", "rule": name,
           "vehicle_ref": f"{number * 7919:032x}"[::-1], "severity": severity,
           "state": "OPEN" if is_open else "CLOSED", "revision": 1 if is_open else 2,
           "boot_counter": 3, "boot_random": "77",
           "first_seq": number, "seq": number + 4, "event_time_us": micros(4 * number + 3),
           "receipt_time_us": micros(4 * number + 2), "publish_time_us": micros(4 * number + 1.4),
           "started_at_us": micros(4 * number + 9), "peak_value": round(-6.2 - number / 5, 1),
           "unit": "m/s2", "cell": "47a850f000000000", "heading_octant": 3, "speed_kmh": 81.5,
           "authority_epoch": 2, "release": STABLE if number % 5 else CANDIDATE,
           "input_partition": number % 64, "input_offset": 900 + number, "contract_number": 1}
    if not is_open:
        one["ended_at_us"] = micros(4 * number + 3)
    return one


def running(release, role, column, behind):
    return {"release": release, "role": role, "counted_all": True, "records_behind": behind,
            "rules": [{"rule": row[0], "opened": row[column],
                       "published": row[3] if role == "stable" else row[2] // 9}
                      for row in RULES],
            "marks": {"partitions": 64, "oldest_at": ago(2.4), "newest_at": ago(0.3),
                      "lots_computed": 10_002 if role == "stable" else 1_001},
            "worker": {"alive": True, "started_at": ago(5400), "counted_at": ago(0.4),
                       "state": "running", "reason": "", "last_end": "",
                       "restarts": 0 if role == "stable" else 2,
                       "cpu_s": 41.5 if role == "stable" else 12.25, "cpu_since": ago(5400),
                       "records_read": 812_345,
                       "episodes_opened": 458, "episodes_closed": 431}}


def lake_table(name, status="compared", verdict="same", **more):
    counts = dict.fromkeys(("rows_stable", "rows_candidate", "same", "changed", "missing", "extra",
                            "vehicles", "vehicles_affected"))
    return {"name": name, "status": status, "verdict": verdict, "error": "", "worst": [],
            "columns_only_stable": [], "columns_only_candidate": [], "columns_retyped": [],
            **counts, **more}


def lake():
    wear = lake_table(
        "brake_wear", verdict="differs", rows_stable=1_240, rows_candidate=1_238, same=1_200,
        changed=38, missing=2, extra=0, vehicles=48, vehicles_affected=7,
        columns_only_candidate=["pads"],
        worst=[{"column": "wear_mm", "changed": 38, "largest": 0.42}])
    failed = lake_table("fuel_trim_drift", status="failed", verdict="failed",
                        error="no column engine_load")
    return {"features": {"verdict": "failed", "reason": "", "at": ago(600), "closed_at": "",
                         "lots": 1_001, "vehicles": {"cohort": 48, "seen": 512},
                         "tables": [failed, wear], "tables_left_out": 0},
            "telemetry": {"verdict": "unreadable", "reason": "it is no JSON object", "at": "",
                          "closed_at": "", "lots": None, "vehicles": None, "tables": [],
                          "tables_left_out": 0}}


def gate():
    """The answer to GET /v1/rollouts/prod-7/gate, half way to a halt."""
    words = "rule/hard_braking missing: 6 of 310 (1.94 %) differ, 1 % may; not yet enough to halt"
    seen = {"metric": "rule/hard_braking", "side": "missing", "family": "alerts", "n": 310, "k": 6,
            "rate": 0.0194, "max": 0.01, "margin": 0.02, "bound": 0.041, "log_e": 2.3,
            "weight": 0.2, "detectable": 0.04, "needed": 900, "is_small": False,
            "is_inside": False, "stratum": ""}
    verdict = {"key": "evidence", "outcome": "hold", "rule": "suspect", "words": words,
               "since": ago(40)}
    report = {"verdict": {"outcome": "hold", "rule": "suspect", "words": words}, "log_e": 2.3,
              "log_e_halt": 4.6, "discordant": 6, "detectable": 0.04,
              "needs_confirmation": False, "metrics": [seen], "examples": [],
              "vehicles": ["00112233445566778899aabbccddeeff"],
              "holds": [{"rule": "suspect", "metric": "rule/hard_braking", "words": words,
                         "vehicles_missing": 900, "seconds_missing": 7200}]}
    return {"rollout": "prod-7", "environment": "prod", "phase": "shadow", "verdict": verdict,
            "gate": {"key": "evidence", "kind": "evidence"}, "settings": {}, "report": report,
            "words": words}


def live():
    return {"looked_at": ago(0), "serving": True, "ready": True, "causes": [],
            "warnings": ["lake is 51 % of retention behind in stream telemetry; at 80 % vehicles "
                         "are not read"],
            "arrivals": {"counted_at": ago(0.4), "reports_accepted": 1_234_567,
                         "reports_quarantined": 89, "batches_quarantined": 2,
                         "payload_bytes": 734_003_200, "connections_open": 3_998,
                         "connections": 4_120, "vehicles_added": 17},
            "drops": [{"role": "worker", "where": "safety", "reason": "duplicate", "count": 5_120},
                      {"role": "gateway", "where": "gateway", "reason": "position_invalid",
                       "count": 311},
                      {"role": "gateway", "where": "gateway", "reason": "qos", "count": 3}],
            "lag": [{"consumer": f"worker-{STABLE[:8]}", "stream": "safety", "records_behind": 12},
                    {"consumer": f"worker-{CANDIDATE[:8]}", "stream": "safety",
                     "records_behind": 1_904},
                    {"consumer": "publisher", "stream": "journal", "records_behind": 4},
                    {"consumer": "lake", "stream": "telemetry", "records_behind": 48_211},
                    {"consumer": "vault", "stream": "sealed", "records_behind": 310}],
            "alerts": [alert(number) for number in range(50)],
            "rollout": {"id": "prod-7", "candidate": CANDIDATE, "shadow_lots": 1_001,
                        "authority_lots": 101, "lots": 10_002, "began_at": ago(5400)},
            "since": ago(5400), "missing": [], "lake": lake(),
            "releases": [running(STABLE, "stable", 1, 12),
                         running(CANDIDATE, "candidate", 2, 1_904)]}


def quiet_live():
    """Of an installation where nothing has happened."""
    return {"looked_at": ago(0), "serving": True, "ready": True, "causes": [], "warnings": [],
            "arrivals": None, "drops": [], "lag": [], "alerts": [], "rollout": None,
            "since": None, "missing": [], "lake": None, "releases": []}


def rollout():
    stages = [{"per_10000": share, "shadow_s": 300, "soak_s": 1800, "approvals": approvals,
               "gate": gate} for share, approvals, gate in
              ((100, 0, ""), (1_000, 1, ""), (10_000, 2, "by-hand"))]
    return {"id": "prod-7", "environment": "prod", "candidate": CANDIDATE, "stable": STABLE,
            "policy": "standard", "policy_kind": "standard", "warm_up_s": 600,
            "rollback_window_s": 86_400, "stages": stages,
            "cohort": {"key": "first-cars", "salt": "prod-7", "always": [], "never": []},
            "stage": 1, "phase": "shadow", "since": ago(190), "shadow_per_10000": 1_000,
            "authority_per_10000": 100,
            "waits_for": [{"code": "approvals",
                           "message": "1 of 1 approvals of this stage are missing"},
                          {"code": "shadow_time", "message": "1 min 50 s of shadow are left"}],
            "partitions_pending": [{"partition": 5, "reason": "warming"},
                                   {"partition": 21, "reason": "journal_stopped"}],
            "approvals": [{"stage": 0, "subject": "cn:approver", "at": ago(2900),
                           "comment": "looked at the diff", "self": False}],
            "history": [{"at": ago(5400), "stage": 0, "phase": "pending",
                         "subject": "cn:deployer", "note": "promoted"},
                        {"at": ago(5398), "stage": 0, "phase": "warming", "subject": "control",
                         "note": ""},
                        {"at": ago(190), "stage": 1, "phase": "shadow", "subject": "control",
                         "note": "all partitions are warm"}],
            "requested_by": "cn:deployer", "created_at": ago(5400), "closed_at": "",
            "config_seq": 17, "began_config_seq": 15, "break_glass": False, "rehearsed": False,
            "window_until": "", "previous_costs": {"cpu_s": None},
            "costs": {"candidate_cpu_s": 12.25, "previous_cpu_s": None}, "reason": "",
            "evidence": None}


def environment(key, kind, upstream, effective, newest):
    return {"key": key, "kind": kind, "upstream": upstream, "reachable": True, "reason": "",
            "stable": STABLE, "previous": "", "candidate": "", "effective_release": effective,
            "config_seq": 17, "publisher": {"reachable": True, "reason": "", "config_seq": 17},
            "partitions": 64, "partitions_pending": [], "rollout": newest, "pin": None,
            "hold": None, "break_glass": None, "promotion": None}


def world():
    now = rollout()
    before = {**rollout(), "id": "prod-6", "candidate": OLD, "phase": "withdrawn",
              "closed_at": ago(90_000), "reason": "braking fired twice as often"}
    closed = {**rollout(), "id": "staging-4", "environment": "staging", "phase": "closed",
              "stage": 2}
    entries = [("cn:author", "release.put", "", {"key": CANDIDATE, "body": {}}),
               ("cn:deployer", "promotion.put", "prod",
                {"key": "prod", "body": {"release": CANDIDATE, "policy": "standard"}}),
               ("cn:approver", "approve", "prod",
                {"key": "prod-7", "body": {"comment": "looked at the diff"}}),
               ("control", "config", "prod", {"config_seq": 17})]
    return {
        "status": {"at": ago(0), "leader": {"holder": "control-1", "leader_epoch": 4,
                                            "expires_at": ago(-8), "is_this": True},
                   # Not in their order.
                   "environments": [environment("prod", "prod", "staging", STABLE, now),
                                    environment("dev", "dev", "", CANDIDATE, None),
                                    environment("staging", "staging", "dev", CANDIDATE, closed)]},
        "live": {"prod": live(), "staging": quiet_live(), "dev": quiet_live()},
        "rollouts": [now, before, closed],
        "diff": {"before": STABLE, "after": CANDIDATE, "changed": ["contract", "features", "rules"],
                 "rules": [{"name": "brake_overheating", "change": "changed", "keys": [
                               {"key": "temperature_c_min", "before": "650", "after": "620"}]},
                           {"name": "tyre_pressure", "change": "added", "keys": []}],
                 "contract": {"verdict": "accepted", "findings": [], "fields": []},
                 "transforms": [],
                 "features": [{"name": "brake_wear", "change": "changed", "lines_added": 3,
                               "lines_removed": 1}],
                 "declared": [{"rule": "brake_overheating",
                               "in_words": "brake_overheating fires 10 to 40 % more"}],
                 "dual_run": {"safety": True, "telemetry": False, "features": ["brake_wear"],
                              "because": ["safety: 2 of its rules differ"]}},
        "audit": [{"entry": number, "at": ago(3000 - number), "subject": subject,
                   "operation": operation, "environment": where, "arguments": given,
                   "hash": "ab" * 32}
                  for number, (subject, operation, where, given) in enumerate(entries, 1)],
    }
