#include "app/metrics_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace telltale::app {
namespace {

struct Described {
  std::string_view role;     // "" = each role that has it
  std::string_view counter;  // without "<role>."; ending in '.': what follows is the label's value
  std::string_view help;
  std::string_view label = "";  // "a,b": the first is what precedes the next '.'
  MetricKind kind = MetricKind::kCounter;
};

constexpr Described kDescribed[] = {
    {"registry", "connections_refused", "Connections to the registry's socket that were refused."},
    {"registry", "resolves", "Vehicles that were asked for."},
    {"registry", "unknown_added", "Vehicles added because one that is in no list connected."},
    {"registry", "imported", "Vehicles that an import added or changed."},
    {"registry", "choices_changed", "Choices of vehicles that were changed."},
    {"registry", "choices_in_force", "Choices of which a gateway said from where it obeys them."},

    {"gateway", "connections_total", "Connections that vehicles opened."},
    {"gateway", "connections_closed_total", "Connections of vehicles that ended."},
    {"gateway", "certificates_reloaded",
     "Times that changed certificates or a revocation list came into force."},
    {"gateway", "certificates_refused",
     "Looks at changed certificates or lists that were no good; the old ones stay."},
    {"gateway", "transport_bundles_refused",
     "Looks at a bundle of the vault's transport keys that was no good; the old one stays."},
    {"gateway", "transport_keys_missing",
     "1 while no transport key is valid: what needs sealing is not acknowledged.", "",
     MetricKind::kGauge},
    {"gateway", "transport_keys_days_left", "Whole days until the last transport key ends.", "",
     MetricKind::kGauge},
    {"gateway", "acks", "Publishes acknowledged after they were durable."},
    {"gateway", "publishes_qos0", "Publishes that want no acknowledgement."},
    {"gateway", "publishes_qos1", "Publishes that want an acknowledgement."},
    {"gateway", "log_stalls", "Times that a shard of the log found the disk full."},
    {"gateway", "log_stalled_shards", "Shards of the log whose disk is full: they wait for room.",
     "", MetricKind::kGauge},
    {"gateway", "log_bytes.", "Bytes of a stream's segments.", "stream", MetricKind::kGauge},
    {"gateway", "segments_removed.", "Segments that retention removed.", "stream"},
    {"gateway", "segment_bytes_removed.", "Bytes of the segments that retention removed.",
     "stream"},
    {"gateway", "retention_share_percent.",
     "Age of a reader's next unread record, in percent of retention; its slowest shard.",
     "stream,reader", MetricKind::kGauge},
    {"gateway", "retention_stopped", "1 while vehicles are not read because a reader lags.", "",
     MetricKind::kGauge},
    {"gateway", "retention_stops", "Times that vehicles were not read because a reader lagged."},
    {"gateway", "retention_alarms", "Times that a reader came to lag by half of retention."},
    {"gateway", "retention_passes", "Looks at what retention may remove."},
    {"gateway", "retention_failures", "Such looks that failed; see its log."},
    {"gateway", "retention_clock_doubts",
     "Jumps ahead of the clock that retention did not follow."},
    {"gateway", "retention_readers_retired", "Places of workers whose release was removed."},
    {"gateway", "reading_pauses", "Times that a shard stopped reading: the log was behind."},
    {"gateway", "reading_pauses_vehicle", "Times that a vehicle was not read: over its share."},
    {"gateway", "reports_accepted", "Reports appended as data."},
    {"gateway", "reports_accepted_qos0", "Of those, without an acknowledgement."},
    {"gateway", "reports_accepted_qos1", "Of those, with an acknowledgement."},
    {"gateway", "reports_quarantined", "Reports kept as quarantine records."},
    {"gateway", "batches_quarantined", "Whole batches kept as quarantine records."},
    {"gateway", "payload_bytes", "Bytes of the publishes taken in."},
    {"gateway", "records.", "Records appended.", "stream"},
    {"gateway", "record_bytes.", "Bytes of the records appended.", "stream"},
    {"gateway", "registry_rows_received", "Rows of vehicles that the registry sent."},
    {"gateway", "vehicles_added_unknown", "Vehicles that the registry added on first contact."},
    {"gateway", "registry_connections_lost", "Times that the registry went away."},

    {"publisher", "alerts_total", "Alerts opened."},
    {"publisher", "alert_changes_total", "Changes of alerts, which the feed gives out."},
    {"publisher", "outputs_repeated_total", "Outputs that were in the alert store already."},
    {"publisher", "outputs_without_authority_total", "Outputs of a release without authority."},
    {"publisher", "outputs_shadow_total",
     "Outputs of a release that runs beside the one that speaks."},
    {"publisher", "journals_reread_total", "Times that a flip made it go back in a journal."},
    {"publisher", "episodes_continued_total",
     "Episodes of a release that go on with another one's alert."},
    {"publisher", "alerts_left_open_total",
     "Alerts open at a flip that are not in the release that speaks now."},
    {"publisher", "flips_total", "Ranges of lots that were given to another release."},
    {"publisher", "flip_transactions_total", "Transactions that made them durable."},
    {"publisher", "flip_duration_us_total", "Microseconds that these took."},
    {"publisher", "orders_refused_total", "Config records older than the one that was taken."},
    {"publisher", "lanes", "Lanes of lots, over all partitions.", "", MetricKind::kGauge},
    {"publisher", "partitions_pending", "Partitions that are not as the config says yet.", "",
     MetricKind::kGauge},
    {"publisher", "transactions_total", "Transactions of the alert store."},
    {"publisher", "journals_stopped", "Journals that cannot be read on; see its log."},
    {"publisher", "journals_expired", "Of those, journals that were removed where it reads."},
    {"publisher", "feed_events_total", "Events written to followers of the feed."},

    {"lake-feed", "records_copied", "Records copied from Kafka into this machine's segments."},
    {"lake-feed", "turns", "Commits that made them durable."},
    {"lake-feed", "shards_stopped", "Shards that cannot be copied on; see its log."},
    {"lake-feed", "shards_expired", "Of those, shards whose next records are gone from Kafka."},

    {"", "http_connections_total", "HTTP connections."},
    {"", "http_connections_refused_total", "HTTP connections over the limit, told so."},
    {"", "http_slow_readers_total", "Followers ended: they took nothing for 30 s."},
    {"", "http_unauthorized_total", "HTTP requests without the token."},
    {"", "http_workers_full_total", "HTTP requests told to come back: no worker was free."},
    {"", "http_answers_failed_total", "HTTP answers cut: what made them failed."},
    {"", "http_answers_abandoned_total", "HTTP answers cut: their client left or was too slow."},
    {"", "http_certificates_ended_total",
     "HTTP connections ended: their client's certificate was revoked or had expired."},

    {"worker", "safety_records_total", "Records of the stream safety that were read."},
    {"worker", "safety_evaluable_total", "Of those, records that rules looked at."},
    {"worker", "safety_outside_lots_total",
     "Records of vehicles that a release on trial does not compute."},
    {"worker", "mark_age_seconds",
     "Since the shard that is longest without one wrote a mark; above a minute it hangs or waits.",
     "", MetricKind::kGauge},
    {"worker", "safety_past_horizon_total", "Records older than the identities that are kept."},
    {"worker", "episodes_opened_total", "Episodes that rules opened."},
    {"worker", "episodes_closed_total", "Episodes that rules closed."},
    {"worker", "journal_segments_removed_total",
     "Segments of its journal that were published, older than retention, and removed."},
    {"worker", "snapshots_total", "Snapshots written."},
    {"worker", "partitions_stopped", "Partitions that cannot be evaluated on; see its log."},
    {"worker", "shards_stopped", "Shards that cannot be read on; see its log."},
    {"worker", "shards_expired", "Of those, shards whose next records retention removed."},
    {"worker", "disk_full_waits", "Times that a shard waited for room on a full disk."},

    {"lake", "rows_total", "Rows written to files."},
    {"lake", "files_total", "Parquet files written."},
    {"lake", "handoffs_total", "Hand-offs made for the committer."},
    {"lake", "shards_stopped", "Shards that cannot be read on; see its log."},
    {"lake", "shards_expired", "Of those, shards whose next records retention removed."},
    {"lake", "late_total", "Reports that arrived more than a day after their event."},
    {"lake", "coverage_shared_total",
     "Days of a firmware whose coverage was counted together with others: too many at once."},
    {"lake", "implausible_gaps_total", "Gaps in a car's numbers too wide to be believed."},

    {"committer", "commits_total", "Commits to tables."},
    {"committer", "files_total", "Files that came into tables."},
    {"committer", "rows_total", "Rows that came into tables."},
    {"committer", "retries_total", "Commits tried again because the table had changed."},

    {"vault", "entries_opened", "Sealed entries opened."},
    {"vault", "frames_stored", "Frames stored under an hour's key."},
    {"vault", "frames_expired", "Frames destroyed with their hour's key."},
    {"vault", "frames_damaged", "Frames that could not be read for a query."},
    {"vault", "hours_destroyed", "Hours whose key was destroyed."},
    {"vault", "expire_failures",
     "Times that destroying an hour did not finish; it is tried again."},
    {"vault", "keys_damaged", "Keys of hours or vehicles that could not be read at the start."},
    {"vault", "key_replica_failures",
     "Writings of a replica of the keys that failed; they are tried again."},
    {"vault", "segments_damaged", "Segments that could not be read at the start."},
    {"vault", "segments_without_key", "Segments removed: their hour's key is destroyed."},
    {"vault", "commits", "Commits of what was taken in."},
    {"vault", "rollbacks", "Times that it went back to its last commit."},
    {"vault", "clock_jumps", "Jumps of the wall clock; no key is destroyed until it is believed."},
    {"vault", "offset_gaps", "Places in a partition where offsets never came."},
    {"vault", "indexes_damaged",
     "Blocks of a segment's index that failed their check; the frames' heads were read."},
    {"vault", "segments_unlisted", "Files among the segments that nobody listed, at the start."},
    {"vault", "segments_rewritten", "Segments written anew without an erased vehicle."},
    {"vault", "vehicles_erased", "Vehicles whose frames are out of all files."},
    {"vault", "work_failures", "Times that holding or erasing did not go on; it is tried again."},
    {"vault", "reconciliations", "Comparisons of files, keys, catalogue and ledger."},
    {"vault", "reconciliation_findings",
     "What they found; see the log and `telltale vault report`."},
    {"vault", "clock_settled", "Times that a clock was believed again after a jump."},
    {"vault", "config_records_refused", "Config records without control's signature."},
    {"vault", "read_failures", "Reads of the log that failed; they are tried again."},
    {"vault", "shards_stopped", "Shards that cannot be read on; see its log."},
    {"vault", "shards_expired", "Of those, shards whose next records retention removed."},
    {"vault", "quarantined.", "Sealed quarantine records taken in.", "reason"},
    {"vault", "queries", "Queries answered or refused."},
    {"vault", "refusals", "Requests refused."},
    {"vault", "approvals", "Approvals given to requests of others."},
    {"vault", "break_glass", "Answers given without a second person; each has a review."},
    {"gate", "evidence_written", "Times that a rollout's evidence was written."},
    {"gate", "states_saved", "Times that its state was kept."},
    {"gate", "turns_failed", "Turns that failed and are tried again; see its log."},
    {"gate", "settings_refused", "Looks at a rollout's settings that no gate can be made of."},
    {"gate", "journals_stopped", "Journals of the rollout that cannot be read on.", "",
     MetricKind::kGauge},
    {"gate", "vehicles", "Vehicles heard since the rollout began.", "", MetricKind::kGauge},
    {"gate", "overflows", "Bounds of its memory that were passed: the comparison holds.", "",
     MetricKind::kGauge},
    {"gate", "reports_unreadable", "Reports whose open fields could not be read."},
    {"control", "ticks", "Looks of the control plane at its environments."},
    {"control", "tick_failures", "Of those, looks that failed; see its log."},
    {"control", "webhook_told", "Events that the webhook's receiver took."},
    {"control", "webhook_failures", "Tries to tell it that failed."},
    {"control", "webhook_dead", "Events given up: dead letters."},
    {"control", "webhook_waiting", "Events that wait to be told.", "", MetricKind::kGauge},
    {"control", "gate_verdict.",
     "What the gate of an environment's rollout says: 0 no gate, 1 hold, 2 pass, 3 halt.",
     "environment", MetricKind::kGauge},
    {"control", "gate_log_e_thousandths.",
     "Natural logarithm of the merged e-value, in thousandths; 0 where it is below 1.",
     "environment", MetricKind::kGauge},
    {"control", "gate_votes.", "Votes of vehicles that the gate has counted, over its metrics.",
     "environment", MetricKind::kGauge},
    {"control", "gate_votes_differing.", "Of those, votes that there is a difference.",
     "environment", MetricKind::kGauge},
    {"control", "gate_hold_seconds.", "Seconds that the gate held a rollout, by the reason.",
     "environment,reason"},
    {"vault", "rows_sent", "Rows of positions given out, each one in the audit log's counts."},
};

std::string MetricName(std::string_view role, std::string_view counter, MetricKind kind) {
  std::string name = fmt::format("telltale_{}_", role);
  std::replace(name.begin(), name.end(), '-', '_');  // lake-feed
  for (const char c : counter) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    name += is_plain ? c : '_';
  }
  while (name.ends_with('_')) name.pop_back();
  if (kind == MetricKind::kCounter && !name.ends_with("_total")) name += "_total";
  return name;
}

const Described* Find(std::string_view role, std::string_view counter) {
  for (const Described& one : kDescribed) {
    if (!one.role.empty() && one.role != role) continue;
    const bool is_prefix = one.counter.ends_with('.');
    if (is_prefix ? counter.starts_with(one.counter) : counter == one.counter) return &one;
  }
  return nullptr;
}

std::optional<MetricOfCounter> DescribeDrops(const std::string& role, std::string_view counter) {
  constexpr std::string_view kPrefix = "drops_total.";
  if (!counter.starts_with(kPrefix)) return std::nullopt;
  counter.remove_prefix(kPrefix.size());
  const std::size_t dot = std::min(counter.find('.'), counter.size());
  const std::string_view reason = counter.substr(std::min(dot + 1, counter.size()));
  return MetricOfCounter{"telltale_drops_total",
                         "What was refused, left out or dropped, by reason (docs/errors.md).",
                         MetricKind::kCounter,
                         {{"role", role},
                          {"where", std::string(counter.substr(0, dot))},
                          {"reason", std::string(reason)}}};
}

}  // namespace

MetricOfCounter DescribeCounter(const std::string& role, std::string_view counter) {
  if (auto drops = DescribeDrops(role, counter)) return *std::move(drops);
  if (counter.starts_with(role + ".")) counter.remove_prefix(role.size() + 1);
  const Described* known = Find(role, counter);
  if (known == nullptr) {
    return {MetricName(role, counter, MetricKind::kCounter),
            fmt::format("Counter {} of the role {}, which has no description.", counter, role),
            MetricKind::kCounter,
            {}};
  }
  MetricOfCounter metric{
      MetricName(role, known->counter, known->kind), std::string(known->help), known->kind, {}};
  if (known->counter.ends_with('.')) {
    std::string_view names = known->label;
    std::string_view values = counter.substr(known->counter.size());
    for (std::size_t comma = names.find(','); comma != names.npos; comma = names.find(',')) {
      const std::size_t dot = std::min(values.find('.'), values.size());
      metric.labels.emplace_back(names.substr(0, comma), values.substr(0, dot));
      names.remove_prefix(comma + 1);
      values.remove_prefix(std::min(dot + 1, values.size()));
    }
    metric.labels.emplace_back(names, values);
  }
  return metric;
}

std::vector<std::string> DescribedMetrics() {
  std::vector<std::string> names;
  for (const Described& one : kDescribed) {
    names.push_back(MetricName(one.role.empty() ? "<role>" : one.role, one.counter, one.kind));
  }
  return names;
}

}  // namespace telltale::app
