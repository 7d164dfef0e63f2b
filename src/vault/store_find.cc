// Reading: any thread, beside the owner.
#include <algorithm>
#include <tuple>

#include "vault/store.h"

namespace telltale::vault {
namespace {

// By the frames' heads alone.
Result<std::vector<FrameSpan>> ScanSpans(const File& file, const SegmentRecord& record) {
  std::vector<FrameSpan> spans;
  std::uint64_t at = kSegmentHeadBytes;
  std::array<std::uint8_t, kFrameHeadBytes> bytes{};
  for (std::uint64_t number = 0; number < record.frames; ++number) {
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(at, bytes));
    ASSIGN_OR_RETURN(const FrameHead head, FrameHead::Parse(ByteSpan(bytes).first(got)));
    const auto size = static_cast<std::uint32_t>(kFrameHeadBytes + head.cipher_bytes);
    if (head.number != number || at + size > record.bytes) {
      return Error{Code::kCorrupt, "a vault segment is damaged"};
    }
    spans.push_back({head.vehicle, at, size, head.first_event_hour, head.last_event_hour});
    at += size;
  }
  return spans;
}

}  // namespace

Result<std::vector<FrameSpan>> Store::AllSpans(const LiveSegment& live) const {
  if (live.record.index_bytes == 0) {
    std::vector<FrameSpan> spans;
    for (const auto& [vehicle, of_one] : live.spans) {
      spans.insert(spans.end(), of_one.begin(), of_one.end());
    }
    return spans;
  }
  ASSIGN_OR_RETURN(const auto file, disk_.Open(live.file->path, OpenMode::kRead));
  Result<std::vector<FrameSpan>> spans =
      ReadIndex(*file, live.record.bytes, live.record.index_bytes);
  if (spans.ok() || spans.error().code != Code::kCorrupt) return spans;
  counters_.Get("indexes_damaged").Add();
  return ScanSpans(*file, live.record);
}

Result<std::vector<FrameSpan>> Store::SpansOf(const LiveSegment& live,
                                              const VehicleRef& vehicle) const {
  if (live.record.index_bytes == 0) {
    const auto found = live.spans.find(vehicle);
    return found == live.spans.end() ? std::vector<FrameSpan>() : found->second;
  }
  ASSIGN_OR_RETURN(const auto file, disk_.Open(live.file->path, OpenMode::kRead));
  Result<std::vector<FrameSpan>> spans =
      FindInIndex(*file, live.record.bytes, live.record.index_bytes, vehicle);
  if (spans.ok() || spans.error().code != Code::kCorrupt) return spans;
  counters_.Get("indexes_damaged").Add();
  ASSIGN_OR_RETURN(std::vector<FrameSpan> all, ScanSpans(*file, live.record));
  std::erase_if(all, [&](const FrameSpan& span) { return span.vehicle != vehicle; });
  return all;
}

std::vector<Store::LiveSegment> Store::Candidates(const VehicleRef& vehicle, FrameClass frame_class,
                                                  std::int64_t first, std::int64_t last,
                                                  std::optional<std::uint64_t> hold) const {
  std::vector<Place> places;
  if (hold) {
    places = {{RetentionClass::kHold, PartitionOf(vehicle)}};
  } else {
    places = {{RetentionClass::kLegacy, PartitionId{0}},
              {RetentionOf(frame_class), PartitionOf(vehicle)}};
  }
  std::vector<LiveSegment> candidates;
  MutexLock lock(index_mutex_);
  for (const Place& place : places) {
    const auto numbers = by_place_.find(place);
    if (numbers == by_place_.end()) continue;
    for (const std::uint64_t number : numbers->second) {
      const LiveSegment& live = live_.at(number);
      const SegmentRecord& record = live.record;
      if (record.first_event_hour > last || record.last_event_hour < first) continue;
      if (record.scheme == KeyScheme::kHour && record.frame_class != frame_class) continue;
      if (hold && record.hour.value != static_cast<std::int64_t>(*hold)) continue;
      LiveSegment candidate{live.file, record, {}};
      const auto spans = live.spans.find(vehicle);
      if (spans != live.spans.end()) candidate.spans[vehicle] = spans->second;
      if (record.index_bytes > 0 || !candidate.spans.empty()) {
        candidates.push_back(std::move(candidate));
      }
    }
  }
  return candidates;
}

Result<std::vector<FrameRef>> Store::Find(const VehicleRef& vehicle, FrameClass frame_class,
                                          Micros from, Micros to,
                                          std::optional<std::uint64_t> hold) const {
  if (!hold && IsErased(vehicle)) return std::vector<FrameRef>();
  const std::int64_t first = std::max<std::int64_t>(HourOf(from).value, 0);
  const std::int64_t last = std::max<std::int64_t>(HourOf(to - Micros{1}).value, 0);
  std::vector<LiveSegment> candidates = Candidates(vehicle, frame_class, first, last, hold);
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return std::tie(a.record.scheme, a.record.hour, a.record.number) <
           std::tie(b.record.scheme, b.record.hour, b.record.number);
  });
  std::vector<FrameRef> found;
  for (const LiveSegment& live : candidates) {
    Result<std::vector<FrameSpan>> spans = SpansOf(live, vehicle);
    if (!spans.ok() && spans.error().code == Code::kNotFound) continue;  // destroyed meanwhile
    if (!spans.ok()) return spans.error();
    for (const FrameSpan& span : *spans) {
      if (span.Touches(first, last)) found.push_back({live.file, span});
    }
  }
  return found;
}

bool Store::IsReadable(const SegmentHead& head, Micros basis) const {
  const Micros now = guard_->NowForReaders();
  if (head.retention_class == RetentionClass::kHold) return true;
  const RetentionClass retention_class =
      head.scheme == KeyScheme::kHour ? RetentionOf(head.frame_class) : head.retention_class;
  // The shorter of the window now and the one it was stored under.
  std::uint32_t hours = options_.windows.HoursOf(retention_class);
  if (head.window_hours > 0) hours = std::min(hours, head.window_hours);
  return basis + Micros{hours * kHourUs} > now;
}

Result<Frame> Store::FrameReader::Read(const FrameRef& ref) {
  const SegmentHead& head = ref.segment->head;
  const bool legacy = head.scheme == KeyScheme::kHour;
  const HourKeyId id{legacy ? RetentionClass::kLegacy : head.retention_class, head.hour};
  // Of version 1: its key is the hour's, so that an erased vehicle's opens until its file is
  // written anew.
  if (legacy && store_.IsErased(ref.span.vehicle)) {
    return Error{Code::kNotFound, "the vehicle is erased"};
  }
  ParentKeys parents;
  // Asked for every frame: a key destroyed meanwhile ends the reading, whatever is cached here.
  RETURN_IF_ERROR(store_.keys_.CopyHour(id, parents.hour));
  if (!legacy) {
    const VehicleRef vehicle =
        head.retention_class == RetentionClass::kHold
            ? HeldVehicle(static_cast<std::uint64_t>(head.hour.value), ref.span.vehicle)
            : ref.span.vehicle;
    RETURN_IF_ERROR(store_.keys_.CopyVehicle(vehicle, parents.vehicle));
  }
  if (segment_ != ref.segment) {
    ASSIGN_OR_RETURN(file_, store_.disk_.Open(ref.segment->path, OpenMode::kRead));
    ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::Make(head));
    cipher_ = std::make_unique<FrameCipher>(std::move(cipher));
    segment_ = ref.segment;
  }
  std::vector<std::uint8_t> bytes(ref.span.bytes);
  ASSIGN_OR_RETURN(const std::size_t got, file_->ReadAt(ref.span.at, bytes));
  if (got != bytes.size()) return Error{Code::kCorrupt, "a vault segment is shorter than recorded"};
  return cipher_->Open(parents, bytes);
}

}  // namespace telltale::vault
