// Acknowledgements of one connection: they leave in PUBLISH order, each when its commit is durable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"

namespace telltale::gateway {

// PUBLISHes of one connection that wait for the disk; above it the connection is not read.
inline constexpr std::size_t kInFlightMax = 256;

class AckQueue {
 public:
  bool IsFull() const { return size() >= kInFlightMax; }
  std::size_t size() const { return waiting_.size() - head_; }
  bool empty() const { return size() == 0; }

  // `commit` 0: nothing was to be written. Requires !IsFull().
  void Push(std::uint16_t packet_id, CommitNumber commit);

  // Appends a PUBACK for each that may leave now; returns how many. One that may not holds back
  // those behind it, whatever their commit.
  std::size_t Release(CommitNumber durable, std::string& out);

 private:
  struct Waiting {
    CommitNumber commit;
    std::uint16_t packet_id;
  };
  std::vector<Waiting> waiting_;
  std::size_t head_ = 0;
};

}  // namespace telltale::gateway
