// Of this module's own: the alert store's prepared statements and SQLite's integers.
#pragma once

#include <cstdint>
#include <optional>

#include "publish/alert_store.h"

namespace telltale::publish {

// SQLite has signed integers only; ids and offsets keep their bits.
inline std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
inline std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

VehicleRef VehicleOf(const internal::v1::JournalEntry::Output& output);

struct AlertStore::Statements {
  std::optional<store::Statement> newest, after, list;  // also of who only reads
  std::optional<store::Statement> epoch, lanes, set_next, set_position, set_journal;
  std::optional<store::Statement> set_epoch, close_row, open_row, remove_lanes, add_lane;
  std::optional<store::Statement> version, change, upsert;
  std::optional<store::Statement> named, name, open_alerts, tenures, left_open;
};

// The newest version of an alert that is in the store.
struct AlertStore::Version {
  bool exists = false;
  bool is_open = false;
  std::uint64_t epoch = 0;
  std::uint64_t revision = 0;
};

// Under which id and revision a release's output is published.
struct AlertStore::Name {
  std::string output_id = {};
  std::uint64_t revision = 0;
  Version there = {};  // of `output_id`
};

}  // namespace telltale::publish
