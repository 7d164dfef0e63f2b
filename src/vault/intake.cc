#include "vault/intake.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "log/retention.h"
#include "seal/signed_config.h"

namespace telltale::vault {
namespace {

constexpr const char* kStream = "sealed";
constexpr const char* kConsumer = "vault";
constexpr std::size_t kRecordsPerStep = 4096;
constexpr Micros kCommitPause{200'000};
constexpr Micros kIdleCommitPause{1'000'000};
constexpr std::uint64_t kCommitBytes = 8u << 20;
constexpr Micros kRetryPause = Micros::Seconds(1);
// Of a shard that the disk does not give: doubles from one to the other.
constexpr Micros kReadPauseMin{200'000};
constexpr Micros kReadPauseMax = Micros::Seconds(10);

seal::Binding::Kind KindOf(const log::RecordHeader& header) {
  if (header.kind == log::RecordKind::kQuarantine) return seal::Binding::Kind::kQuarantine;
  return seal::KindOfData(header.flags);
}

FrameClass ClassOf(seal::Binding::Kind kind) {
  switch (kind) {
    case seal::Binding::Kind::kQuarantine:
      return FrameClass::kQuarantine;
    case seal::Binding::Kind::kUnknown:
      return FrameClass::kUnknown;
    case seal::Binding::Kind::kData:
      break;
  }
  return FrameClass::kData;
}

}  // namespace

Result<Outcome> RecordIntake::Handle(const log::RecordView& record) {
  switch (record.header.kind) {
    case log::RecordKind::kData:
    case log::RecordKind::kQuarantine:
      return TakeEnvelope(record);
    case log::RecordKind::kConfig:
      TakeConfig(record);
      return Outcome::kControl;
    case log::RecordKind::kTick:
      return Outcome::kControl;
  }
  return Error{Code::kUnsupported, "a record kind that this build does not know"};
}

Result<Outcome> RecordIntake::TakeEnvelope(const log::RecordView& record) {
  const log::RecordHeader& header = record.header;
  const seal::Binding::Kind kind = KindOf(header);
  const bool quarantine = kind == seal::Binding::Kind::kQuarantine;
  Result<std::string> plain = opener_.Open(
      {header.vehicle, header.boot, header.seq, header.contract_number, kind}, record.payload);
  if (!plain.ok()) {
    if (plain.error().code == Code::kUnavailable) return plain.error();
    return KeepAside(record, opener_.reason());
  }
  Frame frame;
  frame.frame_class = ClassOf(kind);
  frame.vehicle = header.vehicle;
  frame.boot = header.boot;
  frame.contract_number = header.contract_number;
  frame.receipt_time = header.receipt_time;
  frame.partition = record.partition;
  frame.offset = record.offset;
  frame.firmware = record.firmware;
  if (quarantine) {
    frame.reason = static_cast<Reason>(header.reason);
    counters_.Get(fmt::format("quarantined.{}", ReasonName(frame.reason))).Add();
    // A report that could not be read has no event time: it counts from its receipt.
    const Micros event = header.event_time.value > 0 ? header.event_time : header.receipt_time;
    frame.entries.push_back({header.seq, event, {}, *plain});
  } else {
    const auto entries = seal::ParseEntries(AsBytes(*plain));
    if (!entries.ok()) {
      seal::Wipe(*plain);
      return KeepAside(record, Reason::kUnsealFailed);
    }
    frame.entries.reserve(entries->size());
    for (const seal::SealedEntry& entry : *entries) {
      frame.entries.push_back({entry.seq, entry.event_time, {}, std::string(entry.fields)});
    }
    counters_.Get("entries_opened").Add(entries->size());
  }
  seal::Wipe(*plain);
  return store_.Put(std::move(frame));
}

Result<Outcome> RecordIntake::KeepAside(const log::RecordView& record, Reason reason) {
  counters_.Drops("vault", reason).Add();
  Frame frame;
  frame.frame_class = FrameClass::kRefused;
  frame.reason = reason;
  frame.vehicle = record.header.vehicle;
  frame.boot = record.header.boot;
  frame.contract_number = record.header.contract_number;
  frame.receipt_time = record.header.receipt_time;
  frame.partition = record.partition;
  frame.offset = record.offset;
  frame.firmware = record.firmware;
  // Nothing in an envelope that does not open can be believed, its event time neither.
  frame.entries.push_back(
      {record.header.seq, record.header.receipt_time, {}, std::string(AsText(record.payload))});
  return store_.Put(std::move(frame));
}

void RecordIntake::TakeConfig(const log::RecordView& record) {
  const auto config = seal::VerifyConfigRecord(AsText(record.payload), control_public_);
  if (!config.ok()) {
    counters_.Get("config_records_refused").Add();
    return;
  }
  store_.NoteContract(config->contract_number(), {config->config_seq(), config->contract_digest()});
  if (!config->has_next_contract()) return;
  const internal::v1::NextContract& next = config->next_contract();
  store_.NoteContract(next.number(), {config->config_seq(), next.digest()});
}

Intake::Intake(Disk& disk, Clock& clock, Counters& counters, RecordIntake& records, Store& store,
               IntakeOptions options)
    : disk_(disk),
      clock_(clock),
      counters_(counters),
      records_(records),
      store_(store),
      options_(std::move(options)),
      shards_(options_.shards),
      released_(options_.shards),
      committed_at_(clock.NowMonotonic()),
      retry_at_(clock.NowMonotonic()) {
  LoadAccount();
  for (Shard& shard : shards_) shard.retry_at = retry_at_;
  for (std::size_t i = 0; i < shards_.size() && i < store_.positions().size(); ++i) {
    shards_[i].position = store_.positions()[i];
  }
}

// A vault of format 1 kept none: it counts from where it goes on.
void Intake::LoadAccount() {
  const Result<IntakeAccount> account = IntakeAccount::Parse(AsBytes(store_.account()));
  if (account.ok()) {
    account_ = *account;
  } else {
    if (!store_.account().empty()) spdlog::error("vault: {}", account.error().ToString());
    for (std::size_t shard = 0; shard < store_.positions().size(); ++shard) {
      const auto position = log::Position::Decode(AsBytes(store_.positions()[shard]));
      if (!position.ok()) continue;
      for (std::size_t p = shard; p < position->next.size(); p += shards_.size()) {
        account_.StartAt(PartitionId{static_cast<std::uint16_t>(p)}, position->next[p]);
      }
    }
  }
  committed_account_ = account_;
}

Status Intake::OpenReader(ShardId id, Shard& shard) {
  log::Position from;
  if (!shard.position.empty()) {
    ASSIGN_OR_RETURN(from, log::Position::Decode(AsBytes(shard.position)));
  }
  ASSIGN_OR_RETURN(shard.reader, log::Reader::Open(disk_, options_.log_dir, kStream, id, from));
  return Ok();
}

bool Intake::Step() {
  if (clock_.NowMonotonic() < retry_at_) return false;
  bool read = false;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].stopped || clock_.NowMonotonic() < shards_[i].retry_at) continue;
    read |= ReadShard(ShardId{static_cast<std::uint16_t>(i)}, shards_[i]);
  }
  // Ticks alone move the place in the stream and cost a state; they are in no hurry.
  const Micros pause = store_.uncommitted_bytes() > 0 ? kCommitPause : kIdleCommitPause;
  if (uncommitted_ && (clock_.NowMonotonic() - committed_at_ >= pause ||
                       store_.uncommitted_bytes() >= kCommitBytes)) {
    CommitNow();
  }
  return read;
}

bool Intake::ReadShard(ShardId id, Shard& shard) {
  if (shard.reader == nullptr) {
    const Status opened = OpenReader(id, shard);
    if (!opened.ok()) {
      if (opened.error().code == Code::kNotFound) {  // usual at the first start
        retry_at_ = clock_.NowMonotonic() + kCommitPause;
      } else if (opened.error().code == Code::kUnavailable) {
        PauseShard(id, shard, opened.error());
      } else {
        StopShard(id, shard, opened.error());
      }
      return false;
    }
  }
  const bool read = HandleRecords(id, shard);
  if (read && !shard.stopped) shard.position = shard.reader->position().Encode();
  return read;
}

// The others go on. Its reader goes on from the same record once the disk gives it.
void Intake::PauseShard(ShardId id, Shard& shard, const Error& why) {
  counters_.Get("read_failures").Add();
  shard.pause = std::clamp(Micros{shard.pause.value * 2}, kReadPauseMin, kReadPauseMax);
  shard.retry_at = clock_.NowMonotonic() + shard.pause;
  spdlog::error("vault: shard {} of `sealed` cannot be read, next try in {} ms: {}", id.value,
                shard.pause.value / 1000, why.ToString());
}

void Intake::EndPause(ShardId id, Shard& shard) {
  if (shard.pause == Micros{}) return;
  shard.pause = Micros{};
  spdlog::info("vault: shard {} of `sealed` is read again", id.value);
}

void Intake::StopShard(ShardId id, Shard& shard, const Error& why) {
  spdlog::error("vault: shard {} of `sealed` stops: {}", id.value, why.ToString());
  counters_.Get("shards_stopped").Add();
  if (log::IsExpired(why)) counters_.Get("shards_expired").Add();
  shard.stopped = true;
}

// False: nothing was there, or the store refused and all shards stepped back. A shard that stops
// has its position set.
bool Intake::HandleRecords(ShardId id, Shard& shard) {
  for (std::size_t i = 0; i < kRecordsPerStep; ++i) {
    const Result<const log::RecordView*> record = shard.reader->Next();
    if (!record.ok()) {
      if (i > 0) shard.position = shard.reader->position().Encode();
      if (record.error().code == Code::kUnavailable) {
        PauseShard(id, shard, record.error());
      } else {
        StopShard(id, shard, record.error());
      }
      return i > 0;
    }
    EndPause(id, shard);
    if (*record == nullptr) return i > 0;
    const Result<Outcome> handled = records_.Handle(**record);
    if (!handled.ok() && handled.error().code == Code::kUnsupported) {
      StopShard(id, shard,
                Annotate(handled.error(),
                         fmt::format("partition {} at offset {}", (*record)->partition.value,
                                     (*record)->offset.value)));
      // Before that record: a build that knows its kind begins with it. Without the cursor, which
      // is past it.
      log::Position before = shard.reader->position();
      before.next[(*record)->partition.value] = (*record)->offset;
      before.segment = 0;
      before.byte = 0;
      shard.position = before.Encode();
      return i > 0;
    }
    if (!handled.ok()) {
      StepBack(handled.error());
      return false;
    }
    Account(**record, *handled);
    uncommitted_ = true;
    if (store_.uncommitted_bytes() >= kCommitBytes) return true;
  }
  return true;
}

void Intake::Account(const log::RecordView& record, Outcome outcome) {
  const Arrival arrival =
      account_.Add(record.partition, record.offset, outcome, store_.guard().NowForKeys());
  if (arrival != Arrival::kAfterGap) return;
  spdlog::error("vault: partition {} of `sealed` goes on at offset {}: what lies before never came",
                record.partition.value, record.offset.value);
  counters_.Get("offset_gaps").Add();
}

// Everything since the last commit is read again: the store forgot it.
void Intake::StepBack(const Error& why) {
  spdlog::error("vault: storing failed, reading again from the last commit: {}", why.ToString());
  counters_.Get("rollbacks").Add();
  store_.Rollback();
  account_ = committed_account_;
  uncommitted_ = false;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].reader.reset();
    shards_[i].position = i < store_.positions().size() ? store_.positions()[i] : "";
  }
  retry_at_ = clock_.NowMonotonic() + kRetryPause;
}

void Intake::CommitNow() {
  committed_at_ = clock_.NowMonotonic();
  if (!uncommitted_) return;
  std::vector<std::string> positions;
  for (const Shard& shard : shards_) positions.push_back(shard.position);
  const Status committed = store_.Commit(positions, account_.Encode());
  if (!committed.ok()) return StepBack(committed.error());
  committed_account_ = account_;
  uncommitted_ = false;
  counters_.Get("commits").Add();
  ReleasePositions();
}

// Only after the frames are durable: what is released may be dropped from the stream.
void Intake::ReleasePositions() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].position.empty() || shards_[i].position == released_[i]) continue;
    const auto position = log::Position::Decode(AsBytes(shards_[i].position));
    const Status saved = position.ok()
                             ? log::SavePosition(disk_, options_.positions_dir, kConsumer, kStream,
                                                 ShardId{static_cast<std::uint16_t>(i)}, *position)
                             : Status(position.error());
    if (saved.ok()) {
      released_[i] = shards_[i].position;
    } else if (!positions_refused_) {
      positions_refused_ = true;
      spdlog::warn("vault: cannot release its place in `sealed`, so the stream is kept longer: {}",
                   saved.error().ToString());
    }
  }
}

}  // namespace telltale::vault
