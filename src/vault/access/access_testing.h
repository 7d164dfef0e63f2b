// What the tests of this module share: a vault's door with made-up rows, on a disk that fails.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sim_disk.h"
#include "store/disk_vfs.h"
#include "vault/access/door.h"
#include "vault/access/local_parts.h"

namespace telltale::vault {

// 2025-11-24T16:00:00Z
inline constexpr Micros kAccessNow{1'764'000'000'000'000};
inline constexpr std::int64_t kHourMicros = 3600 * 1'000'000ll;

// Askers 1 and 5, approvers 2 and 3, the editor 4 who also could ask; numbers are their uids.
inline constexpr const char* kTestPolicy = R"(version: 1
roles:
  investigator: [request, hold, operate]
  privacy: [approve, audit, subject_export]
  editor: [edit_policy, request, approve]
people:
  - {number: 1, name: A, uids: [1], roles: [investigator]}
  - {number: 2, name: B, uids: [2], roles: [privacy]}
  - {number: 3, name: C, uids: [3], roles: [privacy]}
  - {number: 4, name: D, uids: [4], certificates: [editor], roles: [editor]}
  - {number: 5, name: E, uids: [5], roles: [investigator]}
purposes:
  open_trace:
    roles: [investigator, editor]
    form: trace
    fields: all
    classes: [data, quarantine]
    max_vehicles: 3
    max_hours: 48
    second_person: never
    export_hours: 5
  named_fields:
    roles: [investigator]
    form: trace
    fields: [longitude_deg]
    max_vehicles: 3
    max_hours: 48
    second_person: never
  crash:
    roles: [investigator, editor]
    form: trace
    fields: all
    max_vehicles: 3
    max_hours: 48
    second_person: {over_vehicles: 1, over_hours: 24}
    approve_roles: [privacy, editor]
    break_glass: true
  double:
    roles: [investigator]
    form: trace
    fields: all
    max_vehicles: 3
    max_hours: 48
    second_person: always
    approve_roles: [privacy]
    approvers: 2
    break_glass: true
  bins:
    roles: [investigator]
    form: distance_bins
    bin_m: 100
    time_floor_s: 300
    max_vehicles: 3
    max_hours: 48
    second_person: never
  cells:
    roles: [investigator]
    form: cells
    cell_level: 12
    time_floor_s: 300
    max_vehicles: 3
    max_hours: 48
    second_person: never
caps: {requests: 100, vehicles: 60, rows: 1000}
holds: {approve_roles: [privacy], approvers: 2}
clock: {approve_roles: [privacy], approvers: 0}
)";

inline VehicleRef RefOf(std::uint8_t value) {
  VehicleRef ref;
  ref.bytes.fill(value);
  return ref;
}

// As many rows of each vehicle as it is told, a second apart, driving north from 48° N.
class MadeRows final : public RowSource {
 public:
  Status Rows(const RowQuery& query, RowStats& stats, const TakeRow& take) override {
    stats.repeats += 1;
    for (int i = 0; i < rows_each; ++i) {
      nlohmann::json row{
          {"event_time_us", kAccessNow.value + i * 1'000'000ll},
          {"seq", i},
          {"class", query.frame_class},
          {"unknown", "a0382a"},
          {"fields",
           {{"latitude_deg", 48.0 + i * 0.001}, {"longitude_deg", 11.5}, {"heading_deg", 12.5}}}};
      RETURN_IF_ERROR(take(std::move(row)));
    }
    return Ok();
  }
  int rows_each = 3;
};

// Holds that are made at once.
class MadeActions final : public Actions {
 public:
  Status Check(const Request& /*request*/) override { return Ok(); }
  Status Run(const BookedRequest& request, nlohmann::json& answer) override {
    if (fails) return Error{Code::kUnavailable, "the disk failed"};
    ++ran[KindName(request.request.kind)];
    answer["hold"] = 7;
    return Ok();
  }
  std::map<std::string_view, int> ran;
  bool fails = false;
};

// A machine with its vault; Restart() is what a power cut leaves.
struct AccessWorld {
  explicit AccessWorld(std::string policy = kTestPolicy) {
    EXPECT_TRUE(disk.MakeFolders("/vault", 0700).ok());
    EXPECT_TRUE(WriteFileDurably(disk, "/policy.yaml", policy).ok());
  }
  Status Open() {
    door.reset();
    audit.reset();
    ASSIGN_OR_RETURN(audit, AuditLog::Open(disk, clock, "/vault/audit", AuditHead{}));
    auto opened =
        AccessDoor::Open({disk, clock, random, counters, *audit, rows, tags, export_keys, actions},
                         {.folder = "/vault",
                          .policy_file = "/policy.yaml",
                          .environment_kind = kind,
                          .window = Micros{30 * 24 * kHourMicros},
                          .vfs = &vfs});
    if (!opened.ok()) return opened.error();
    door = std::move(opened).value();
    return Ok();
  }
  void Restart(std::uint64_t seed) {
    disk.FailNever();
    disk.Crash(seed);
    door.reset();
    ASSERT_TRUE(Open().ok());
  }

  // The messages of one answer; `status` is Handle()'s.
  std::vector<nlohmann::json> Ask(std::uint32_t uid, const nlohmann::json& message,
                                  Status* status = nullptr) {
    Caller caller;
    caller.uid = uid;
    std::vector<nlohmann::json> messages;
    const Status done = door->Handle(caller, message, [&](std::string_view text) {
      messages.push_back(nlohmann::json::parse(text));
      return Ok();
    });
    if (status != nullptr) {
      *status = done;
    } else {
      EXPECT_TRUE(done.ok()) << done.error().ToString();
    }
    return messages;
  }
  nlohmann::json End(std::uint32_t uid, const nlohmann::json& message) {
    const auto messages = Ask(uid, message);
    return messages.empty() ? nlohmann::json::object() : messages.back();
  }
  // The error's code name, or "ok".
  std::string Code(std::uint32_t uid, const nlohmann::json& message) {
    Status status;
    Ask(uid, message, &status);
    last_error = status.ok() ? "" : status.error().message;
    return status.ok() ? "ok" : std::string(CodeName(status.error().code));
  }
  std::vector<nlohmann::json> Rows(std::uint32_t uid, const nlohmann::json& message) {
    std::vector<nlohmann::json> rows_sent;
    for (const auto& one : Ask(uid, message)) {
      if (one["kind"] != "rows") continue;
      for (const auto& row : one["rows"]) rows_sent.push_back(row);
    }
    return rows_sent;
  }
  std::vector<nlohmann::json> Audit() {
    std::vector<nlohmann::json> entries;
    EXPECT_TRUE(audit
                    ->List(1, 1'000'000,
                           [&](std::string_view line) {
                             entries.push_back(nlohmann::json::parse(line.substr(65)));
                           })
                    .ok());
    return entries;
  }
  std::vector<nlohmann::json> Audit(const std::string& event) {
    std::vector<nlohmann::json> found;
    for (const auto& entry : Audit()) {
      if (entry["event"] == event) found.push_back(entry);
    }
    return found;
  }

  SimDisk disk;
  store::DiskVfs vfs{disk};
  ManualClock clock{kAccessNow};
  SeededRandom random{11};
  Counters counters;
  MadeRows rows;
  RefTags tags;
  MemoryExportKeys export_keys{random};
  MadeActions actions;
  std::string kind = "dev";
  std::unique_ptr<AuditLog> audit;
  std::unique_ptr<AccessDoor> door;
  std::string last_error;
};

struct Asking {
  std::string op = "query";
  std::string purpose = "open_trace";
  std::vector<std::uint8_t> vehicles = {1};
  std::int64_t hours = 1;
};
inline nlohmann::json Message(const Asking& asking) {
  nlohmann::json message{{"op", asking.op},
                         {"vehicles", nlohmann::json::array()},
                         {"from_us", kAccessNow.value},
                         {"to_us", kAccessNow.value + asking.hours * kHourMicros},
                         {"purpose", asking.purpose},
                         {"case", "C-17"}};
  for (const std::uint8_t one : asking.vehicles) message["vehicles"].push_back(RefOf(one).ToHex());
  return message;
}

}  // namespace telltale::vault
