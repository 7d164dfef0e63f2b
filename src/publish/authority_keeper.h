// Makes the lanes agree with the newest config record, partition by partition. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "internal/v1/local.pb.h"
#include "publish/alert_store.h"
#include "publish/authority_map.h"

namespace telltale::publish {

// What the journals of a release say.
class Journals {
 public:
  virtual ~Journals() = default;
  virtual std::optional<Mark> NewestMark(const std::string& release, PartitionId) const = 0;
  virtual bool IsStopped(const std::string& release, PartitionId) const = 0;
};

class AuthorityKeeper {
 public:
  // The references must outlive it.
  AuthorityKeeper(AlertStore& store, const Clock& clock, Counters& counters);

  // Reads lanes and config again. False: no release has authority yet.
  Result<bool> Load();

  // Keeps a verified config record and makes the flips it asks for that can be made now, in one
  // transaction. The same one again is fine: what was pending is tried.
  //   kRefused  a lower config_seq or leader_epoch than was taken, or other bytes under the same
  //             config_seq; or the store was changed by somebody else: nothing was done
  //   others    of the store: nothing was kept, the same one may come again
  Status Take(std::string_view signed_config, const Wanted& wanted, const Journals& journals);
  // Tries what is pending. True when a lane was flipped.
  Result<bool> Settle(const Journals& journals);

  const std::map<PartitionId, Lanes>& lanes() const { return lanes_; }
  void Became(const std::map<PartitionId, Lanes>& lanes);  // what a commit made of them
  const std::optional<Wanted>& wanted() const { return wanted_; }
  // Whose journals are to be followed, the most important one first, the candidate last.
  std::vector<std::string> Releases() const;
  bool IsCandidate(const std::string& release) const;
  // The config speaks of it: it runs, whoever has authority.
  bool IsWanted(const std::string& release) const;

  void Describe(const Journals& journals, internal::v1::PublisherReply& reply) const;

 private:
  Status Admit(std::string_view signed_config, const Wanted& wanted) const;
  Status Change(const Wanted& wanted, const std::string& signed_config,
                std::map<PartitionId, Candidate>& candidates, const Journals& journals);
  void Note(const Wanted& wanted, std::map<PartitionId, Candidate>& candidates,
            const Journals& journals) const;
  void CountLanes();

  AlertStore& store_;
  const Clock& clock_;
  std::map<PartitionId, Lanes> lanes_;
  std::optional<Wanted> wanted_;
  std::string signed_config_;
  std::uint64_t leader_epoch_ = 0;  // the highest that was taken
  std::map<PartitionId, Candidate> candidates_;
  std::map<PartitionId, std::string_view> pending_;
  Counter& flips_;
  Counter& flip_us_;
  Counter& flip_transactions_;
  Counter& orders_refused_;
  // Sizes: what is there now.
  Counter& lane_count_;
  Counter& pending_count_;
};

}  // namespace telltale::publish
