// Any bytes as a segment: the reader, retention and the recovery end, with an answer, and read
// nothing they were not given. First byte: what of the rest is made right first, so that the inner
// checks are reached too.
#include <algorithm>

#include "base/checksum.h"
#include "base/sim_disk.h"
#include "log/batch.h"
#include "log/durable_map.h"
#include "log/segment.h"

namespace telltale::log {
namespace {

const LogShape kShape{{"s"}, 4, 2};
const std::string kDir = "/log";

void Must(const Status& status) { CHECK(status.ok()); }

std::string GoodHead(const StreamFiles& files) {
  SegmentHead head;
  head.segment = 1;
  head.generation = 1;
  head.segment_bytes = 64u << 10;
  head.tails.resize(files.carried);
  return head.Encode(files);
}

// Lengths are taken modulo what is left and checks are computed, so that batches chain.
void MakeBatchesWhole(std::string& segment, std::size_t at, std::uint64_t generation) {
  while (segment.size() - at >= kBatchHeaderBytes) {
    auto* batch = reinterpret_cast<std::uint8_t*>(segment.data()) + at;
    auto length = GetLe<std::uint32_t>(batch + 8);
    const std::size_t left = segment.size() - at;
    if (length < kBatchHeaderBytes || length > left) {
      length =
          static_cast<std::uint32_t>(kBatchHeaderBytes + length % (left - kBatchHeaderBytes + 1));
    }
    std::memcpy(batch, &kBatchMagic, sizeof kBatchMagic);
    std::memcpy(batch + 8, &length, sizeof length);
    SealBatch({batch, length}, generation);
    at += length;
  }
}

void Read(SimDisk& disk, std::size_t segment_bytes) {
  auto reader = Reader::Open(disk, kDir, "s", ShardId{0}, {});
  if (!reader.ok()) return;
  std::size_t records = 0;
  std::uint64_t sum = 0;
  while (true) {
    const auto record = (*reader)->Next();
    if (!record.ok() || *record == nullptr) break;
    for (const std::uint8_t byte : (*record)->payload) sum += byte;
    for (const char byte : (*record)->firmware) sum += static_cast<std::uint8_t>(byte);
    CHECK(++records <= segment_bytes);  // terminates
  }
  CHECK(sum <= segment_bytes * 256 * 256);
}

// Retention beside a good position, one of any bytes, or none: the newest segment stays.
void RetainBeside(SimDisk& disk, std::uint8_t how, ByteSpan input) {
  const std::string positions = "/positions";
  Must(disk.MakeFolders(positions + "/c"));
  if ((how & 16) != 0) {
    Must(WriteFileDurably(disk, positions + "/c/s-0", AsText(input)));
  } else if ((how & 32) != 0) {
    Position position;
    for (std::size_t i = 0; i < kShape.partitions; ++i) {
      position.next.push_back(Offset{input[i % input.size()]});
    }
    Must(SavePosition(disk, positions, "c", "s", ShardId{0}, position));
  }
  const StreamFiles files(kDir, "s", ShardId{0}, kShape);
  const auto before = ListSegments(disk, files);
  const auto report =
      Retain(disk, kDir, {positions, {{"s", Micros{1}, 1, {}}}}, Micros::Seconds(1'000'000));
  const auto after = ListSegments(disk, files);
  CHECK(!after->empty() && after->back() == before->back());
  CHECK(!report.ok() || report->shards.front().segments_kept == after->size());
}

void Run(ByteSpan input) {
  if (input.empty()) return;
  const std::uint8_t how = input[0];
  SimDisk disk;
  disk.SetCapacity(1u << 20);
  const StreamFiles files(kDir, "s", ShardId{0}, kShape);
  Must(disk.MakeFolders(files.folder));
  Must(DurableMap::Create(disk, kDir, kShape));

  std::string segment = (how & 1) != 0 ? GoodHead(files) : std::string();
  const std::size_t head_bytes = segment.size();
  segment.append(AsText(input.subspan(1)));
  if ((how & 2) != 0) MakeBatchesWhole(segment, head_bytes, 1);
  Must(WriteFileDurably(disk, files.PathOf(1), segment));
  if ((how & 4) != 0) Must(WriteFileDurably(disk, files.PathOf(2), GoodHead(files)));

  auto map = DurableMap::Open(disk, kDir, OpenMode::kReadWrite);
  CHECK(map.ok());
  const std::uint64_t last = (how & 4) != 0 ? 2 : 1;
  DurableState state{CommitNumber{1}, {{last, segment.size()}}, {}};
  state.next.resize(CarriedBy(ShardId{0}, kShape));
  Must(map->WriteBoth(ShardId{0}, state));
  Read(disk, segment.size());
  if ((how & 64) != 0) RetainBeside(disk, how, input);
  (void)RecoverStream(disk, files, (how & 8) != 0 ? state.ends[0] : Place{});
}

}  // namespace
}  // namespace telltale::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  telltale::log::Run({data, size});
  return 0;
}
