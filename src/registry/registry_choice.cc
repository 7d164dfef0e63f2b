// The registry's choices: tables vehicle_choices, choice_changes and choice_in_force.
#include <algorithm>

#include "registry/registry.h"

namespace telltale::registry {
namespace {

constexpr const char* kChoiceOf =
    "SELECT c.choice_number, c.precise, c.cell, c.behaviour, l.changed_at_us, l.changed_by_uid, "
    "EXISTS (SELECT 1 FROM choice_in_force AS f WHERE f.vehicle_ref = c.vehicle_ref AND "
    "f.choice_number = c.choice_number) FROM vehicle_choices AS c JOIN choice_changes AS l ON "
    "l.choice_number = c.choice_number WHERE c.vehicle_ref = ?";
constexpr const char* kLogChoice =
    "INSERT INTO choice_changes (changed_at_us, changed_by_uid, vehicle_ref, precise, cell, "
    "behaviour) VALUES (?, ?, ?, ?, ?, ?)";
constexpr const char* kPutChoice =
    "INSERT INTO vehicle_choices (vehicle_ref, choice_number, precise, cell, behaviour) SELECT "
    "vehicle_ref, choice_number, precise, cell, behaviour FROM choice_changes WHERE true ORDER BY "
    "choice_number DESC LIMIT 1 ON CONFLICT (vehicle_ref) DO UPDATE SET choice_number = "
    "excluded.choice_number, precise = excluded.precise, cell = excluded.cell, behaviour = "
    "excluded.behaviour";
constexpr const char* kPutInForce =
    "INSERT OR IGNORE INTO choice_in_force (vehicle_ref, choice_number, taken_at_us, "
    "log_partition, safety_offset, telemetry_offset, sealed_offset) VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kInForce =
    "SELECT choice_number, taken_at_us, log_partition, safety_offset, telemetry_offset, "
    "sealed_offset FROM choice_in_force WHERE vehicle_ref = ? ORDER BY choice_number DESC LIMIT 21";
constexpr std::size_t kEarlierMax = 20;

void BindChoice(store::Statement& to, int at, std::optional<bool> value) {
  value ? to.BindInt(at, *value ? 1 : 0) : to.BindNull(at);
}

std::optional<bool> Wished(std::optional<bool> now, std::optional<bool> set, bool to_default) {
  if (to_default) return std::nullopt;
  return set ? set : now;
}

}  // namespace

Result<ChoiceState> Registry::ShowChoice(const VehicleRef& ref) {
  ChoiceState state;
  state.vehicle = ref;
  ASSIGN_OR_RETURN(store::Statement * find, Cached(kChoiceOf));
  find->BindBlob(1, AsText(ref.bytes));
  ASSIGN_OR_RETURN(const bool found, find->Step());
  if (!found) return state;
  state.choice = ChoiceInRow(*find, 0);
  state.choice.in_force = find->Int(6) != 0;
  state.changed_at = Micros{find->Int(4)};
  state.changed_by_uid = static_cast<std::uint32_t>(find->Int(5));
  find->Reset();

  ASSIGN_OR_RETURN(store::Statement * forces, Cached(kInForce));
  forces->BindBlob(1, AsText(ref.bytes));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, forces->Step());
    if (!more) break;
    const auto number = [&](int column) { return static_cast<std::uint64_t>(forces->Int(column)); };
    const ChoiceInForce one{.vehicle = ref,
                            .choice_number = number(0),
                            .partition = PartitionId{static_cast<std::uint16_t>(number(2))},
                            .safety = Offset{number(3)},
                            .telemetry = Offset{number(4)},
                            .sealed = Offset{number(5)},
                            .taken_at = Micros{forces->Int(1)}};
    if (one.choice_number == state.choice.number) {
      state.in_force = one;
    } else if (state.earlier.size() < kEarlierMax) {
      state.earlier.push_back(one);
    }
  }
  forces->Reset();
  return state;
}

Result<ChoiceState> Registry::SetChoice(const VehicleRef& ref, const ChoiceWish& wish,
                                        std::uint32_t uid) {
  RETURN_IF_ERROR(FindByRef(ref));
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  ASSIGN_OR_RETURN(ChoiceState state, ShowChoice(ref));
  Choice wanted;
  wanted.precise = Wished(state.choice.precise, wish.set.precise, wish.precise_default);
  wanted.cell = Wished(state.choice.cell, wish.set.cell, wish.cell_default);
  wanted.behaviour = Wished(state.choice.behaviour, wish.set.behaviour, wish.behaviour_default);
  if (wanted.SaysTheSameAs(state.choice)) return state;
  ASSIGN_OR_RETURN(store::Statement * log, Cached(kLogChoice));
  log->BindInt(1, clock_->NowUtc().value).BindInt(2, uid).BindBlob(3, AsText(ref.bytes));
  BindChoice(*log, 4, wanted.precise);
  BindChoice(*log, 5, wanted.cell);
  BindChoice(*log, 6, wanted.behaviour);
  RETURN_IF_ERROR(log->Run());
  ASSIGN_OR_RETURN(store::Statement * put, Cached(kPutChoice));
  RETURN_IF_ERROR(put->Run());
  RETURN_IF_ERROR(transaction.Commit());
  return ShowChoice(ref);
}

Status Registry::RecordTaken(std::span<const ChoiceInForce> taken) {
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  for (const ChoiceInForce& one : taken) {
    ASSIGN_OR_RETURN(store::Statement * put, Cached(kPutInForce));
    const auto bind = [&](int at, std::uint64_t value) {
      put->BindInt(at, static_cast<std::int64_t>(value));
    };
    put->BindBlob(1, AsText(one.vehicle.bytes));
    bind(2, one.choice_number);
    put->BindInt(3, clock_->NowUtc().value).BindInt(4, one.partition.value);
    bind(5, one.safety.value);
    bind(6, one.telemetry.value);
    bind(7, one.sealed.value);
    RETURN_IF_ERROR(put->Run());
  }
  return transaction.Commit();
}

Choice ChoiceInRow(const store::Statement& row, int first) {
  const auto value = [&](int column) -> std::optional<bool> {
    if (row.IsNull(column)) return std::nullopt;
    return row.Int(column) != 0;
  };
  Choice choice;
  choice.number = static_cast<std::uint64_t>(row.Int(first));
  choice.precise = value(first + 1);
  choice.cell = value(first + 2);
  choice.behaviour = value(first + 3);
  return choice;
}

}  // namespace telltale::registry
