#include <array>

#include "base/checksum.h"
#include "base/limits.h"
#include "contract/contract.h"
#include "contract/distance.h"
#include "contract/field_options.h"
#include "contract/split_rules.h"
#include "contract/wire.h"

namespace telltale::contract {
namespace {

constexpr std::size_t kFirmwareBytesMax = 64;

// One output. Neighbouring fields that go the same way are copied as one run, when it ends.
class Sink {
 public:
  explicit Sink(std::string& out) : out_(out) {}

  void Add(const std::uint8_t* begin, const std::uint8_t* end) {
    if (begin != end_) {
      Flush();
      begin_ = begin;
    }
    end_ = end;
  }
  void Flush() {
    if (begin_ != end_) out_.append(reinterpret_cast<const char*>(begin_), Size());
    begin_ = end_ = nullptr;
  }
  bool empty() const { return out_.empty() && begin_ == end_; }
  // For bytes that are not the car's own.
  std::string& buffer() {
    Flush();
    return out_;
  }

 private:
  std::size_t Size() const { return static_cast<std::size_t>(end_ - begin_); }
  std::string& out_;
  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* end_ = nullptr;
};

void AppendNested(std::string& out, std::string_view tag, std::string_view content) {
  out.append(tag);
  AppendVarint(out, content.size());
  out.append(content);
}

double ReadFloat(const std::uint8_t* value, const FieldRule& rule) {
  return rule.encoding == Encoding::kDouble ? GetLe<double>(value)
                                            : static_cast<double>(GetLe<float>(value));
}

// The usual case of a message in a report: all of it is open, and stays as sent.
bool IsPlain(const MessageRules& message, ByteSpan bytes) {
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  bool is_safety = false;
  while (at != end) {
    at = message.PastPlain(at, end, is_safety);
    if (at == nullptr) return false;
  }
  return true;
}

bool IsFirmware(ByteSpan text) {
  if (text.size() > kFirmwareBytesMax) return false;
  for (const std::uint8_t c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace

// The rules, and buffers that live from report to report: after warm-up nothing is allocated.
struct Splitter::Table {
  // Elements of a repeated message seen, and sealed, within the message that holds the list.
  struct List {
    std::uint32_t seen = 0;
    std::uint32_t sealed = 0;
    std::uint32_t unknown = 0;
  };
  struct Level {
    std::string open;
    std::string sealed;
    std::string unknown;
    void Clear() {
      open.clear();
      sealed.clear();
      unknown.clear();
    }
  };
  // What one field's bytes are.
  struct Piece {
    const std::uint8_t* begin;
    const std::uint8_t* value;
    const std::uint8_t* end;
    std::string_view tag() const {
      return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(value - begin)};
    }
    ByteSpan value_bytes() const { return {value, static_cast<std::size_t>(end - value)}; }
    ByteSpan content() const {  // of a length-delimited value
      ByteSpan bytes;
      WireCursor(value, end).ReadBytes(bytes);
      return bytes;
    }
  };
  struct Sinks {
    Sinks(Level& level, Sink* report_safety)
        : open(level.open), sealed(level.sealed), unknown(level.unknown), safety(report_safety) {}
    Sink open;
    Sink sealed;
    Sink unknown;
    Sink* safety;  // of Report only

    bool IsSafety(const FieldRule& rule) const { return rule.safety && safety != nullptr; }
    void AddOpen(const FieldRule& rule, const Piece& piece) {
      open.Add(piece.begin, piece.end);
      if (IsSafety(rule)) safety->Add(piece.begin, piece.end);
    }
  };

  explicit Table(const Contract& contract) : rules(SplitRules::Of(contract)) {}

  Reason ReadBatch(ByteSpan batch, BatchHead& head);
  bool ReadHeadField(std::uint32_t number, WireType type, WireCursor& in, BatchHead& head);
  void SplitOne(ByteSpan raw, SplitReport& report);
  Reason SplitMessage(const MessageRules& message, ByteSpan bytes, Sinks& sinks,
                      SplitReport& report, std::size_t depth);
  Reason SplitNested(const FieldRule& rule, const Piece& piece, Sinks& sinks, SplitReport& report,
                     std::size_t depth, std::size_t list_base);
  void Apply(const MessageRules& message, const FieldRule& rule, const Piece& piece, Sinks& sinks,
             SplitReport& report);
  void AddUnknown(const MessageRules& message, const Piece& piece, UnknownField::Why why,
                  Sinks& sinks);
  static void AppendBeside(Sink& sink, const Piece& piece, std::string_view content,
                           std::uint32_t seen, std::uint32_t* written);
  static void ReadPlace(const FieldRule& rule, const Piece& piece, SplitReport& report);

  SplitRules rules;
  double odometer_offset_km = 0;
  std::string safety;
  std::array<Level, kNestingMax + 1> levels;  // [0]: the report's own
  std::vector<UnknownField> unknown_fields;
  std::vector<List> lists;  // a stack: the lists of each message being split
  std::vector<ByteSpan> reports;
  bool has_seq = false;
  bool has_event_time = false;
  // Of the batch head.
  bool has_boot_counter = false;
  bool has_boot_random = false;
  std::uint32_t previous_parts = 0;  // bit per field 4, 5, 6
  BootId previous;
};

bool Splitter::Table::ReadHeadField(std::uint32_t number, WireType type, WireCursor& in,
                                    BatchHead& head) {
  const std::uint8_t* at = in.at();
  if (number == 2 || number == 5) {
    if (type != WireType::kFixed64 || !in.Skip(type)) return false;
    (number == 2 ? head.boot.random : previous.random) = GetLe<std::uint64_t>(at);
  } else if (number == 3) {
    ByteSpan text;
    if (type != WireType::kBytes || !in.ReadBytes(text) || !IsFirmware(text)) return false;
    head.firmware = AsText(text);
  } else {
    std::uint64_t value = 0;
    if (type != WireType::kVarint || !in.ReadVarint(value)) return false;
    if (number == 6) {
      head.previous_last_seq = value;
    } else {
      if (value > UINT32_MAX) return false;
      (number == 1 ? head.boot.counter : previous.counter) = static_cast<std::uint32_t>(value);
    }
  }
  has_boot_counter |= number == 1;
  has_boot_random |= number == 2;
  if (number >= 4) previous_parts |= 1u << (number - 4);
  return true;
}

Reason Splitter::Table::ReadBatch(ByteSpan batch, BatchHead& head) {
  reports.clear();
  has_boot_counter = has_boot_random = false;
  previous_parts = 0;
  WireCursor in(batch);
  while (!in.done()) {
    std::uint32_t number = 0;
    WireType type{};
    if (!in.ReadTag(number, type)) return Reason::kBatchMalformed;
    if (number == 10) {
      ByteSpan report;
      if (type != WireType::kBytes || !in.ReadBytes(report)) return Reason::kBatchMalformed;
      if (reports.size() == kReportsPerBatchMax) return Reason::kTooManyReports;
      reports.push_back(report);
    } else if (number <= 6) {
      if (!ReadHeadField(number, type, in, head)) return Reason::kBatchMalformed;
    } else {
      if (!in.Skip(type)) return Reason::kBatchMalformed;
      ++head.unknown_fields;
    }
  }
  if (!has_boot_counter || !has_boot_random) return Reason::kBatchMalformed;
  if (previous_parts == 7) {
    head.previous_boot = previous;
  } else {
    head.previous_last_seq = 0;
  }
  return Reason::kNone;
}

void Splitter::Table::ReadPlace(const FieldRule& rule, const Piece& piece, SplitReport& report) {
  const double value = ReadFloat(piece.value, rule);
  switch (rule.place) {
    case Place::kLatitude:
      report.latitude_deg = value;
      break;
    case Place::kLongitude:
      report.longitude_deg = value;
      break;
    case Place::kHeading:
      report.heading_deg = value;
      break;
    case Place::kNone:
      break;
  }
}

void Splitter::Table::AddUnknown(const MessageRules& message, const Piece& piece,
                                 UnknownField::Why why, Sinks& sinks) {
  sinks.unknown.Add(piece.begin, piece.end);
  std::uint64_t tag = 0;
  WireCursor(piece.begin, piece.end).ReadVarint(tag);
  UnknownField field;
  field.path = message.path;
  field.number = static_cast<std::uint32_t>(tag >> 3);
  field.wire_type = static_cast<std::uint8_t>(tag & 7);
  field.why = why;
  const bool has_length = field.wire_type == static_cast<std::uint8_t>(WireType::kBytes);
  field.bytes =
      static_cast<std::uint32_t>(has_length ? piece.content().size() : piece.value_bytes().size());
  unknown_fields.push_back(field);
}

// Everything but kMessage.
void Splitter::Table::Apply(const MessageRules& message, const FieldRule& rule, const Piece& piece,
                            Sinks& sinks, SplitReport& report) {
  switch (rule.action) {
    case Action::kOpen:
      sinks.AddOpen(rule, piece);
      break;
    case Action::kOpenText:
      if (!rules.texts[rule.text].Allows(piece.content())) {
        AddUnknown(message, piece, UnknownField::Why::kText, sinks);
        break;
      }
      sinks.AddOpen(rule, piece);
      break;
    case Action::kSealed:
      sinks.sealed.Add(piece.begin, piece.end);
      break;
    case Action::kDistance:
      sinks.sealed.Add(piece.begin, piece.end);
      if (!AppendShifted(sinks.open.buffer(), piece.tag(), piece.value_bytes(), rule,
                         odometer_offset_km)) {
        report.odometer_overflow = true;
      }
      break;
    case Action::kSeq:
      WireCursor(piece.value, piece.end).ReadVarint(report.seq);
      has_seq = true;
      break;
    case Action::kEventTime: {
      std::uint64_t time = 0;
      WireCursor(piece.value, piece.end).ReadVarint(time);
      report.event_time = Micros{static_cast<std::int64_t>(time)};
      has_event_time = true;
      break;
    }
    case Action::kUnknown:
    case Action::kMessage:
      break;
  }
  if (rule.place != Place::kNone) ReadPlace(rule, piece, report);
}

Reason Splitter::Table::SplitNested(const FieldRule& rule, const Piece& piece, Sinks& sinks,
                                    SplitReport& report, std::size_t depth, std::size_t list_base) {
  CHECK(depth + 1 < levels.size());  // the contract bounds the depth
  if (IsPlain(rules.messages[rule.message], piece.content())) {
    if (rule.list) ++lists[list_base + rule.list_slot].seen;
    sinks.AddOpen(rule, piece);
    return Reason::kNone;
  }
  Level& level = levels[depth + 1];
  level.Clear();
  Sinks inner(level, nullptr);
  const Reason refused =
      SplitMessage(rules.messages[rule.message], piece.content(), inner, report, depth + 1);
  if (refused != Reason::kNone) return refused;

  if (inner.sealed.empty() && inner.unknown.empty()) {  // all of it is open, and stays as sent
    if (rule.list) ++lists[list_base + rule.list_slot].seen;
    sinks.AddOpen(rule, piece);
    return Reason::kNone;
  }
  const std::string_view open = inner.open.buffer();
  AppendNested(sinks.open.buffer(), piece.tag(), open);
  if (sinks.IsSafety(rule)) AppendNested(sinks.safety->buffer(), piece.tag(), open);
  List* const list = rule.list ? &lists[list_base + rule.list_slot] : nullptr;
  const std::uint32_t seen = list == nullptr ? 0 : list->seen++;
  AppendBeside(sinks.sealed, piece, inner.sealed.buffer(), seen, list ? &list->sealed : nullptr);
  AppendBeside(sinks.unknown, piece, inner.unknown.buffer(), seen, list ? &list->unknown : nullptr);
  return Reason::kNone;
}

// Appends what was cut out of one message, unless it is nothing. In a list, empty elements keep
// element i here beside element i of the open part: `seen` came before, `written` stand here.
void Splitter::Table::AppendBeside(Sink& sink, const Piece& piece, std::string_view content,
                                   std::uint32_t seen, std::uint32_t* written) {
  if (content.empty()) return;
  std::string& out = sink.buffer();
  if (written != nullptr) {
    for (; *written < seen; ++*written) AppendNested(out, piece.tag(), "");
    ++*written;
  }
  AppendNested(out, piece.tag(), content);
}

Reason Splitter::Table::SplitMessage(const MessageRules& message, ByteSpan bytes, Sinks& sinks,
                                     SplitReport& report, std::size_t depth) {
  const std::size_t list_base = lists.size();
  lists.resize(list_base + message.list_slots);
  WireCursor in(bytes);
  while (!in.done()) {
    const std::uint8_t* begin = in.at();
    bool is_safety = false;
    if (const std::uint8_t* end = message.PastPlain(begin, in.end(), is_safety)) {
      sinks.open.Add(begin, end);
      if (is_safety && sinks.safety != nullptr) sinks.safety->Add(begin, end);
      in.MoveTo(end);
      continue;
    }
    std::uint32_t number = 0;
    WireType type{};
    if (!in.ReadTag(number, type)) return Reason::kReportMalformed;
    const std::uint8_t* value = in.at();
    if (!in.Skip(type)) return Reason::kReportMalformed;
    const Piece piece{begin, value, in.at()};

    const FieldRule& rule = message.Find(number);
    if (rule.action == Action::kOpen && type == rule.wire) {  // most fields of most reports
      sinks.AddOpen(rule, piece);
      continue;
    }
    if (rule.action == Action::kUnknown) {
      AddUnknown(message, piece, UnknownField::Why::kUndeclared, sinks);
      continue;
    }
    if (type != rule.wire) {
      if (!rule.packable || type != WireType::kBytes) {
        AddUnknown(message, piece, UnknownField::Why::kWireType, sinks);
        continue;
      }
      if (!IsPacked(piece.content(), rule.wire)) return Reason::kReportMalformed;
    }
    if (rule.action == Action::kMessage) {
      const Reason refused = SplitNested(rule, piece, sinks, report, depth, list_base);
      if (refused != Reason::kNone) return refused;
    } else {
      Apply(message, rule, piece, sinks, report);
    }
  }
  lists.resize(list_base);
  return Reason::kNone;
}

void Splitter::Table::SplitOne(ByteSpan raw, SplitReport& report) {
  report.raw = raw;
  report.content_hash = ContentHash(raw);
  if (raw.size() > kReportBytesMax) {
    report.refused = Reason::kReportTooBig;
    return;
  }
  safety.clear();
  levels[0].Clear();
  lists.clear();
  unknown_fields.clear();
  has_seq = has_event_time = false;

  Sink safety_sink(safety);
  Sinks sinks(levels[0], &safety_sink);
  report.refused = SplitMessage(rules.messages[0], raw, sinks, report, 0);
  if (report.refused == Reason::kNone && !has_seq) report.refused = Reason::kMissingSeq;
  if (report.refused == Reason::kNone && !has_event_time) {
    report.refused = Reason::kMissingEventTime;
  }
  if (report.refused != Reason::kNone) {
    const SplitReport kept = report;
    report = SplitReport{};
    report.raw = kept.raw;
    report.refused = kept.refused;
    report.seq = kept.seq;
    report.content_hash = kept.content_hash;
    return;
  }
  report.safety = safety_sink.buffer();
  report.telemetry = sinks.open.buffer();
  report.sealed = sinks.sealed.buffer();
  report.unknown = sinks.unknown.buffer();
  report.unknown_fields = unknown_fields;
}

Splitter::Splitter(std::shared_ptr<const Contract> contract)
    : contract_(std::move(contract)), table_(std::make_unique<Table>(*contract_)) {}

Splitter::~Splitter() = default;

Status Splitter::Split(ByteSpan batch, double odometer_offset_km,
                       const std::function<void(const BatchHead&)>& head,
                       const std::function<void(const SplitReport&)>& report) {
  BatchHead found;
  reason_ = table_->ReadBatch(batch, found);
  if (reason_ != Reason::kNone) {
    return Error{Code::kInvalid, reason_ == Reason::kTooManyReports
                                     ? "batch has more than 2000 reports; send smaller batches"
                                     : "not a telltale.v1.ReportBatch with a boot"};
  }
  table_->odometer_offset_km = odometer_offset_km;
  head(found);
  for (const ByteSpan raw : table_->reports) {
    SplitReport split;
    table_->SplitOne(raw, split);
    report(split);
  }
  return Ok();
}

}  // namespace telltale::contract
