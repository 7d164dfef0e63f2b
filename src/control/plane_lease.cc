// One process leads. Its lease is a row; its number goes into every config record, and the log's
// owner and the publisher refuse a lower one.
#include "control/plane_state.h"

namespace telltale::control {
namespace {

constexpr Micros kLease = Micros::Seconds(10);
constexpr Micros kRenewal = Micros::Seconds(2);

}  // namespace

bool PlaneState::IsLeader() const {
  return is_leader_ && clock_.NowMonotonic() - renewed_ < kLease;
}

Result<bool> PlaneState::Lead() {
  if (IsLeader() && clock_.NowMonotonic() - renewed_ < kRenewal) return true;
  const Micros asked = clock_.NowMonotonic();
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(Lease lease, db_.ReadLease());
  const bool is_over = lease.expires_at <= Now();
  const bool is_mine =
      lease.holder == options_.holder && is_leader_ && lease.leader_epoch == lease_.leader_epoch;
  is_leader_ = false;
  if (!is_over && !is_mine) return false;
  if (is_over) {
    lease.holder = options_.holder;
    ++lease.leader_epoch;
    RETURN_IF_ERROR(
        db_.Note({.subject = "control",
                  .operation = "lead",
                  .arguments = {{"holder", lease.holder}, {"leader_epoch", lease.leader_epoch}}},
                 Now()));
  }
  lease.expires_at = Now() + kLease;
  RETURN_IF_ERROR(db_.WriteLease(lease));
  RETURN_IF_ERROR(transaction.Commit());
  lease_ = lease;
  is_leader_ = true;
  renewed_ = asked;
  return true;
}

// Within a transaction that is to sign something.
Status PlaneState::CheckLease() {
  ASSIGN_OR_RETURN(const Lease lease, db_.ReadLease());
  if (IsLeader() && lease.holder == options_.holder && lease.leader_epoch == lease_.leader_epoch &&
      lease.expires_at > Now()) {
    return Ok();
  }
  is_leader_ = false;
  return Error{Code::kUnavailable, "another control leads: " + lease.holder};
}

// Where an installation knows a higher one than this database, which then is older than it.
Status PlaneState::RaiseEpoch(std::uint64_t above) {
  RETURN_IF_ERROR(CheckLease());
  Lease lease = lease_;
  lease.leader_epoch = above + 1;
  RETURN_IF_ERROR(db_.WriteLease(lease));
  RETURN_IF_ERROR(db_.Note({.subject = "control",
                            .operation = "raise_leader_epoch",
                            .arguments = {{"leader_epoch", lease.leader_epoch}}},
                           Now()));
  lease_ = lease;
  return Ok();
}

Status PlaneState::GiveUpLease() {
  if (!is_leader_) return Ok();
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(CheckLease());
  Lease lease = lease_;
  lease.expires_at = Now();
  RETURN_IF_ERROR(db_.WriteLease(lease));
  is_leader_ = false;
  return transaction.Commit();
}

}  // namespace telltale::control
