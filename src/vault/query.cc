#include "vault/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/checksum.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

// As requests and the audit log call it.
FrameClass ClassOf(const std::string& name) {
  if (name == "quarantine") return FrameClass::kQuarantine;
  return name == "unknown" ? FrameClass::kUnknown : FrameClass::kData;
}

}  // namespace

struct StoreRows::Seen {
  RowStats& stats;
  std::set<std::tuple<BootId, std::uint64_t, std::uint64_t>> reports;  // boot, seq, content
};

struct StoreRows::Row {
  Micros event_time;
  BootId boot;
  std::uint64_t seq = 0;
  std::uint64_t content = 0;
  json row;
};

Status StoreRows::Rows(const RowQuery& query, RowStats& stats, const TakeRow& take) {
  const std::vector<FrameRef> refs =
      store_.Find(query.vehicle, ClassOf(query.frame_class), query.from, query.to);
  Seen seen{stats, {}};
  std::size_t start = 0;
  while (start < refs.size()) {
    const Hour hour = refs[start].segment->head.expiry_hour;
    std::size_t end = start;
    while (end < refs.size() && refs[end].segment->head.expiry_hour == hour) ++end;
    RETURN_IF_ERROR(TakeHour(query, std::span(refs).subspan(start, end - start), seen, take));
    start = end;
  }
  return Ok();
}

json StoreRows::RowOf(const Frame& frame, const FrameEntry& entry) {
  json row{{"event_time", FormatUtc(entry.event_time)},
           {"event_time_us", entry.event_time.value},
           {"receipt_time_us", frame.receipt_time.value},
           {"boot", fmt::format("{}-{:016x}", frame.boot.counter, frame.boot.random)},
           {"seq", entry.seq},
           {"firmware", frame.firmware},
           {"contract", frame.contract_number}};
  if (frame.frame_class != FrameClass::kQuarantine) {
    decoder_.Decode(frame.contract_number, entry.fields, row);
  } else {
    row["reason"] = ReasonName(frame.reason);
    row["wire"] = HexEncode(entry.fields);
  }
  return row;
}

Status StoreRows::TakeHour(const RowQuery& query, std::span<const FrameRef> refs, Seen& seen,
                           const TakeRow& take) {
  Store::FrameReader reader(store_);
  std::vector<Row> rows;
  for (const FrameRef& ref : refs) {
    const Result<Frame> frame = reader.Read(ref);
    if (!frame.ok()) {
      if (frame.error().code == Code::kNotFound) break;  // its hour has begun
      ++seen.stats.damaged;
      counters_.Get("frames_damaged").Add();
      continue;
    }
    RETURN_IF_ERROR(AddFrame(query, *frame, seen, rows));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.event_time, a.boot, a.seq, a.content) <
           std::tie(b.event_time, b.boot, b.seq, b.content);
  });
  for (Row& row : rows) RETURN_IF_ERROR(take(std::move(row.row)));
  return Ok();
}

Status StoreRows::AddFrame(const RowQuery& query, const Frame& frame, Seen& seen,
                           std::vector<Row>& rows) {
  for (const FrameEntry& entry : frame.entries) {
    // The exact edge: the key lives until the hour begins, the reader's right may end before.
    if (entry.basis + store_.window() <= clock_.NowUtc()) continue;
    if (entry.event_time < query.from || entry.event_time >= query.to) continue;
    const std::uint64_t content = ContentHash(AsBytes(entry.fields));
    if (!seen.reports.insert({frame.boot, entry.seq, content}).second) {
      ++seen.stats.repeats;
      continue;
    }
    if (seen.reports.size() > kRowsMax) {
      return Error{Code::kTooBig,
                   fmt::format("more than {} rows; ask for a shorter interval", kRowsMax)};
    }
    rows.push_back({entry.event_time, frame.boot, entry.seq, content, RowOf(frame, entry)});
  }
  return Ok();
}

}  // namespace telltale::vault
