"""Evidence as the observer of an environment writes it (docs/formats/gate-evidence.md), for what
control makes of it: the settings that control left are answered with counts of the test's choice.
"""

import hashlib
import json
import os
import time

INVARIANTS = ("contract_failure", "output_without_authority", "output_outside_cohort",
              "authority_not_single", "new_dead_letter_reason", "stuck_progress",
              "lag_beyond_window", "crash_loop", "silence", "sealed_to_open")
ROLLOUTS = ("environment", "rollout", "candidate", "stable")
OUTSIDE = ("format", *ROLLOUTS)  # of the digest
HOUR_US = 3_600_000_000


def digest_of(settings):
    """GateDigest(): the settings without what names the rollout."""
    rules = {key: value for key, value in settings.items() if key not in OUTSIDE}
    return hashlib.sha256(
        json.dumps(rules, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def counts_of(vehicles, missing=0, extra=0):
    return {"stable_fired": vehicles, "missing": missing, "exposed": vehicles,
            "settled": vehicles, "extra": extra, "candidate_fired": vehicles}


def evidence_of(settings, vehicles=3000, missing=0, examples=()):
    now = time.time_ns() // 1000
    paired = []
    for metric in settings["metrics"]:
        is_rule = metric["name"].startswith("rule/")
        paired.append({
            "metric": metric["name"], "component_digest": metric["component_digest"],
            "counts": counts_of(vehicles, missing if is_rule else 0), "strata": [],
            "examples": [{"side": "missing", "vehicle": one, "event_at_us": now - HOUR_US,
                          "what": "stable opened it, the candidate did not"}
                         for one in examples if is_rule]})
    return {
        "format": 1,
        "basis": {**{key: settings[key] for key in ROLLOUTS},
                  "gate_digest": digest_of(settings), "as_of_us": now},
        "exposure": {
            "cohort_vehicles": vehicles, "vehicles": vehicles, "silent_candidate": 0,
            "silent_stable": 0, "silent_both": 0, "driving_s": 3600.0 * vehicles,
            "metres": 5e4 * vehicles, "event_from_us": now - 30 * HOUR_US, "event_to_us": now,
            "strata": [{"dimension": "model", "name": "a", "fleet_share": 1.0,
                        "vehicles": vehicles, "driving_s": 3600.0, "metres": 5e4}]},
        "invariants": [{"invariant": name, "candidate": {"breaches": 0, "vehicles": 0},
                        "stable": {"breaches": 0, "vehicles": 0}, "watched_to_us": now,
                        "what": "", "vehicles": []} for name in INVARIANTS],
        "paired": paired, "blocks": [], "rates": [], "arms": {},
        "sources": [{"name": name, "newest_us": now} for name in settings["sources"]],
        "approvals": [], "confirmations": []}


def write(folder, evidence):
    """Whole or not at all, as the observer does."""
    made = folder / "evidence.json.new"
    made.write_text(json.dumps(evidence), encoding="utf-8")
    os.chmod(made, 0o644)
    made.rename(folder / "evidence.json")
