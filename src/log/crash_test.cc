// Power cuts at any disk call, over many seeds: what was reported durable is there, once, in order.
#include <gtest/gtest.h>

#include "base/random.h"
#include "log/log_testing.h"

namespace telltale::log {
namespace {

constexpr int kSeeds = 200;
constexpr int kLivesPerSeed = 3;

LogOptions CrashLog() {
  LogOptions options = SmallLog();
  options.segment_bytes = 4096 + 2048;  // rolls often
  return options;
}

struct Written {
  std::string payload;  // empty: a tick
  CommitNumber commit;
};
using Key = std::pair<StreamIndex, std::uint16_t>;

// Drives one log through several lives and keeps what it should hold.
class Life {
 public:
  explicit Life(std::uint64_t seed) : seed_(seed), random_(seed), options_(CrashLog()) {}

  void Run() {
    for (int life = 0; life < kLivesPerSeed && !testing::Test::HasFatalFailure(); ++life) {
      const std::uint64_t calls = random_.Below(life == 0 ? 400 : 150);
      disk_.FailAfter(calls);
      Write();
      disk_.Crash(random_.NextU64());
      Check();
    }
  }

 private:
  void Write() {
    auto opened = Log::Open(disk_, options_);
    if (!opened.ok()) {  // the disk failed on the way: also a life
      ASSERT_EQ(opened.error().code, Code::kUnavailable) << opened.error().message;
      return;
    }
    log_ = std::move(opened).value();
    for (int step = 0; step < 60; ++step) {
      for (std::uint16_t s = 0; s < options_.shards; ++s) Step(ShardId{s});
      if (random_.Below(8) == 0) ReadSome();
    }
    for (std::uint16_t s = 0; s < options_.shards; ++s) {
      durable_[s] = log_->shard(ShardId{s}).durable_commit();
    }
    // Half of the lives are cut while the owner still runs.
    if (random_.Below(2) == 0)
      log_.reset();
    else
      dying_.push_back(std::move(log_));
  }

  void Step(ShardId id) {
    ShardWriter& shard = log_->shard(id);
    std::vector<BatchBuilder> batches;
    std::vector<std::pair<Key, std::vector<std::string>>> payloads;
    const std::uint64_t count = random_.Below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      const StreamIndex stream = random_.Below(3);
      const auto partition = static_cast<std::uint16_t>(random_.Below(2) * 2 + id.value);
      payloads.push_back({{stream, partition}, {}});
      for (std::uint64_t r = 0; r <= random_.Below(3); ++r) {
        payloads.back().second.push_back(std::to_string(++serial_) +
                                         std::string(random_.Below(300), '.'));
      }
      batches.push_back(BatchOf(PartitionId{partition}, payloads.back().second));
    }
    std::vector<ShardWriter::Staged> staged;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      staged.push_back({payloads[i].first.first, &batches[i]});
    }
    const auto number = shard.Append(staged);
    if (number.ok()) {
      for (const auto& [key, texts] : payloads) {
        for (const std::string& text : texts) model_[key].push_back({text, *number});
      }
    }
    if (random_.Below(10) == 0) TickNow(id);
    if (random_.Below(3) != 0) shard.Flush();
    if (random_.Below(3) == 0) (void)shard.SyncNow();
  }

  void TickNow(ShardId id) {
    ShardWriter& shard = log_->shard(id);
    now_ = now_ + Micros::Seconds(120);
    std::map<Key, Offset> before;
    for (StreamIndex stream = 0; stream < 3; ++stream) {
      for (std::uint16_t p = id.value; p < options_.partitions; p += options_.shards) {
        before[{stream, p}] = shard.next_offset(stream, PartitionId{p});
      }
    }
    if (!shard.Tick(now_).ok()) return;
    const auto after = shard.Append({});  // fails if the disk did in between: not durable then
    for (const auto& [key, offset] : before) {
      if (shard.next_offset(key.first, PartitionId{key.second}) == offset) continue;
      model_[key].push_back({"", after.ok() ? *after : CommitNumber{UINT64_MAX}});
    }
  }

  // A consumer that goes on from its position over all lives.
  void ReadSome() {
    for (StreamIndex stream = 0; stream < 3; ++stream) {
      for (std::uint16_t s = 0; s < options_.shards; ++s) {
        Position& position = positions_[{stream, s}];
        const auto reader =
            Reader::Open(disk_, options_.dir, options_.streams[stream], ShardId{s}, position);
        if (!reader.ok()) {
          ASSERT_TRUE(reader.error().code == Code::kNotFound) << reader.error().ToString();
          continue;
        }
        const std::uint64_t limit = random_.Below(40);
        for (std::uint64_t i = 0; i < limit; ++i) {
          const auto record = (*reader)->Next();
          ASSERT_TRUE(record.ok()) << "seed " << seed_ << " " << record.error().ToString();
          if (*record == nullptr) break;
          seen_[{stream, (*record)->partition.value}].emplace_back(AsText((*record)->payload));
        }
        position = Position::Decode(AsBytes((*reader)->position().Encode())).value();
      }
    }
  }

  void Check() {
    dying_.clear();
    log_ = OpenOrFail(disk_, options_);
    ASSERT_NE(log_, nullptr) << "seed " << seed_;
    for (StreamIndex stream = 0; stream < 3; ++stream) {
      const auto records = ReadAll(disk_, options_, stream);
      ASSERT_TRUE(records.ok()) << "seed " << seed_ << " " << records.error().ToString();
      for (std::uint16_t p = 0; p < options_.partitions; ++p) {
        CheckPartition({stream, p}, PayloadsOf(*records, p));
      }
    }
    log_.reset();
    durable_.clear();
  }

  void CheckPartition(const Key& key, const std::vector<std::string>& found) {
    std::vector<Written>& model = model_[key];
    ASSERT_LE(found.size(), model.size()) << "seed " << seed_;
    const std::uint16_t shard = key.second % options_.shards;
    for (std::size_t i = 0; i < model.size(); ++i) {
      // Commit 0: was read back after an earlier cut.
      const bool durable = model[i].commit.value == 0 ||
                           (durable_.contains(shard) && model[i].commit <= durable_[shard]);
      ASSERT_TRUE(i < found.size() || !durable) << "seed " << seed_ << ": lost " << i;
      if (i < found.size()) {
        ASSERT_EQ(found[i], model[i].payload) << "seed " << seed_;
      }
    }
    model.resize(found.size());
    for (Written& written : model) written.commit = CommitNumber{};  // durable by now
    // Offsets go on where the records end.
    EXPECT_EQ(log_->shard(ShardId{shard}).next_offset(key.first, PartitionId{key.second}).value,
              found.size());
    const std::vector<std::string>& seen = seen_[key];
    ASSERT_LE(seen.size(), found.size()) << "seed " << seed_ << ": a reader saw what was lost";
    ASSERT_TRUE(std::equal(seen.begin(), seen.end(), found.begin())) << "seed " << seed_;
  }

  const std::uint64_t seed_;
  SeededRandom random_;
  const LogOptions options_;
  SimDisk disk_;
  std::unique_ptr<Log> log_;
  std::vector<std::unique_ptr<Log>> dying_;
  std::map<Key, std::vector<Written>> model_;
  std::map<Key, std::vector<std::string>> seen_;
  std::map<std::pair<StreamIndex, std::uint16_t>, Position> positions_;
  std::map<std::uint16_t, CommitNumber> durable_;
  std::uint64_t serial_ = 0;
  Micros now_{1'000'000};
};

TEST(CrashTest, WhatWasReportedDurableSurvivesPowerCutsOnceAndInOrder) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Life(seed).Run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace telltale::log
