// For tests and fuzzers only: the shipped contract, libprotobuf as the oracle of what bytes mean,
// and random reports from a seed. The split under test shares none of this code.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>

#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/random.h"
#include "contract/contract.h"
#include "contract/wire.h"

namespace telltale::contract::testing {

namespace pb = google::protobuf;

inline pb::FileDescriptorSet ShippedFiles() {
  PosixDisk disk;
  const auto bytes = ReadWholeFile(disk, TELLTALE_CONTRACT_DESC);
  pb::FileDescriptorSet files;
  CHECK(bytes.ok() && files.ParseFromString(*bytes) && files.file_size() > 0);
  return files;
}

inline std::shared_ptr<const Contract> Load(const pb::FileDescriptorSet& files) {
  auto contract = Contract::FromDescriptorSet(files.SerializeAsString());
  CHECK(contract.ok());
  return contract.value();
}

// A message of telltale/v1/telemetry.proto, to be changed into another contract.
inline pb::DescriptorProto* FindMessage(pb::FileDescriptorSet& files, const std::string& name) {
  for (auto& file : *files.mutable_file()) {
    if (file.name() != "telltale/v1/telemetry.proto") continue;
    for (auto& message : *file.mutable_message_type()) {
      if (message.name() == name) return &message;
    }
  }
  return nullptr;
}

inline pb::FieldDescriptorProto* FindField(pb::DescriptorProto* message, const std::string& name) {
  for (auto& field : *message->mutable_field()) {
    if (field.name() == name) return &field;
  }
  return nullptr;
}

// Merges a FieldSpec into the option of `field`: what it sets wins over what was there.
inline void SetSpec(pb::FieldDescriptorProto* field, const std::string& spec) {
  field->mutable_options()->mutable_unknown_fields()->AddLengthDelimited(50710, spec);
}
inline std::string PrivacySpec(int privacy) {  // FieldSpec.privacy = 4
  return std::string{'\x20', static_cast<char>(privacy)};
}
inline std::string UnitSpec(const std::string& unit) {  // FieldSpec.unit = 1
  return std::string{'\x0a', static_cast<char>(unit.size())} + unit;
}

inline pb::FieldDescriptorProto* AddField(pb::DescriptorProto* message, const std::string& name,
                                          int number, pb::FieldDescriptorProto::Type type) {
  pb::FieldDescriptorProto* field = message->add_field();
  field->set_name(name);
  field->set_number(number);
  field->set_type(type);
  field->set_label(pb::FieldDescriptorProto::LABEL_OPTIONAL);
  return field;
}

// Decodes Reports with libprotobuf.
class Oracle {
 public:
  explicit Oracle(std::shared_ptr<const Contract> contract)
      : contract_(std::move(contract)),
        prototype_(factory_.GetPrototype(contract_->report_descriptor())) {}

  std::unique_ptr<pb::Message> New() const {
    return std::unique_ptr<pb::Message>(prototype_->New());
  }
  // nullptr when libprotobuf refuses.
  std::unique_ptr<pb::Message> Decode(std::string_view bytes) const {
    auto message = New();
    if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return nullptr;
    return message;
  }
  const Contract& contract() const { return *contract_; }

 private:
  std::shared_ptr<const Contract> contract_;
  pb::DynamicMessageFactory factory_;
  const pb::Message* prototype_;
};

// Puts the sealed part back into the open part: element i of a sealed list belongs to element i of
// the open one; where both have a value the sealed one is the car's.
inline void Join(pb::Message& open, const pb::Message& sealed) {
  const pb::Reflection& reflection = *open.GetReflection();
  std::vector<const pb::FieldDescriptor*> set;
  reflection.ListFields(sealed, &set);
  std::unique_ptr<pb::Message> plain(sealed.New());
  plain->CopyFrom(sealed);
  for (const pb::FieldDescriptor* field : set) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    reflection.ClearField(plain.get(), field);
    if (!field->is_repeated()) {
      Join(*reflection.MutableMessage(&open, field), reflection.GetMessage(sealed, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(sealed, field); ++i) {
      pb::Message* element = i < reflection.FieldSize(open, field)
                                 ? reflection.MutableRepeatedMessage(&open, field, i)
                                 : reflection.AddMessage(&open, field);
      Join(*element, reflection.GetRepeatedMessage(sealed, field, i));
    }
  }
  open.MergeFrom(*plain);
}

// The first thing in `message` that may not lie in an open stream, or "".
inline std::string FirstLeak(const pb::Message& message, const std::vector<Field>& fields) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (reflection.GetUnknownFields(message).field_count() > 0) return "an unknown field";
  std::vector<const pb::FieldDescriptor*> set;
  reflection.ListFields(message, &set);
  for (const pb::FieldDescriptor* descriptor : set) {
    const Field* field = nullptr;
    for (const Field& candidate : fields) {
      if (candidate.number == static_cast<std::uint32_t>(descriptor->number())) field = &candidate;
    }
    if (field == nullptr) return descriptor->full_name();
    const bool distance =
        field->privacy == Privacy::kLinking && (field->unit == "km" || field->unit == "m");
    if (field->derived || (field->privacy != Privacy::kOpen && !distance)) return field->name;
    if (descriptor->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = descriptor->is_repeated() ? reflection.FieldSize(message, descriptor) : 1;
    for (int i = 0; i < count; ++i) {
      const pb::Message& nested = descriptor->is_repeated()
                                      ? reflection.GetRepeatedMessage(message, descriptor, i)
                                      : reflection.GetMessage(message, descriptor);
      const std::string leak = FirstLeak(nested, field->members);
      if (!leak.empty()) return field->name + "." + leak;
    }
  }
  return "";
}

// Sets about one field in `one_in`, nested ones too, and sometimes fields of unknown number.
class RandomReports {
 public:
  RandomReports(const Oracle& oracle, std::uint64_t seed) : oracle_(oracle), random_(seed) {}

  std::unique_ptr<pb::Message> Next(std::uint64_t one_in, bool unknown) {
    auto report = oracle_.New();
    Fill(*report, one_in, unknown);
    const pb::Reflection& reflection = *report->GetReflection();
    const pb::Descriptor& descriptor = *report->GetDescriptor();
    reflection.SetUInt64(report.get(), descriptor.FindFieldByNumber(1), next_seq_++);
    reflection.SetInt64(report.get(), descriptor.FindFieldByNumber(2),
                        1'700'000'000'000'000 + static_cast<std::int64_t>(random_.Below(1u << 30)));
    return report;
  }
  Random& random() { return random_; }

 private:
  void Fill(pb::Message& message, std::uint64_t one_in, bool unknown) {
    const pb::Descriptor& descriptor = *message.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
      if (random_.Below(one_in) != 0) continue;
      const pb::FieldDescriptor* field = descriptor.field(i);
      const std::uint64_t count = field->is_repeated() ? 1 + random_.Below(5) : 1;
      for (std::uint64_t n = 0; n < count; ++n) SetOne(message, field, one_in, unknown);
    }
    if (unknown && random_.Below(3) == 0) AddUnknown(message);
  }

  void AddUnknown(pb::Message& message) {
    pb::UnknownFieldSet* set = message.GetReflection()->MutableUnknownFields(&message);
    const int number = static_cast<int>(900 + random_.Below(12'000) * 1'000);
    if (message.GetDescriptor()->FindFieldByNumber(number) != nullptr) return;
    switch (random_.Below(4)) {
      case 0:
        return set->AddVarint(number, random_.NextU64());
      case 1:
        return set->AddFixed64(number, random_.NextU64());
      case 2:
        return set->AddFixed32(number, static_cast<std::uint32_t>(random_.NextU64()));
      default:
        return set->AddLengthDelimited(number, "not in the contract");
    }
  }

  std::string Text() {
    const std::string texts[] = {"P0301", "U0100-87", "", "52.520008,13.404954", "Anna Maria"};
    return texts[random_.Below(5)];
  }

  void SetOne(pb::Message& message, const pb::FieldDescriptor* field, std::uint64_t one_in,
              bool unknown) {
    const pb::Reflection& r = *message.GetReflection();
    const bool list = field->is_repeated();
    const std::uint64_t bits = random_.NextU64() >> random_.Below(64);
    const auto i32 = static_cast<std::int32_t>(bits);
    const auto u32 = static_cast<std::uint32_t>(bits);
    const auto i64 = static_cast<std::int64_t>(bits);
    const double real = static_cast<double>(i64 >> 20) / 1024;
    const auto real32 = static_cast<float>(real);
    switch (field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_INT32:
        return list ? r.AddInt32(&message, field, i32) : r.SetInt32(&message, field, i32);
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        return list ? r.AddUInt32(&message, field, u32) : r.SetUInt32(&message, field, u32);
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return list ? r.AddInt64(&message, field, i64) : r.SetInt64(&message, field, i64);
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        return list ? r.AddUInt64(&message, field, bits) : r.SetUInt64(&message, field, bits);
      case pb::FieldDescriptor::CPPTYPE_FLOAT:
        return list ? r.AddFloat(&message, field, real32) : r.SetFloat(&message, field, real32);
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        return list ? r.AddDouble(&message, field, real) : r.SetDouble(&message, field, real);
      case pb::FieldDescriptor::CPPTYPE_BOOL:
        return list ? r.AddBool(&message, field, bits & 1) : r.SetBool(&message, field, bits & 1);
      case pb::FieldDescriptor::CPPTYPE_ENUM:
        return list ? r.AddEnumValue(&message, field, i32 & 7)
                    : r.SetEnumValue(&message, field, i32 & 7);
      case pb::FieldDescriptor::CPPTYPE_STRING:
        return list ? r.AddString(&message, field, Text()) : r.SetString(&message, field, Text());
      case pb::FieldDescriptor::CPPTYPE_MESSAGE:
        return Fill(list ? *r.AddMessage(&message, field) : *r.MutableMessage(&message, field),
                    one_in, unknown);
    }
  }

  const Oracle& oracle_;
  SeededRandom random_;
  std::uint64_t next_seq_ = 0;
};

// --- Bytes by hand ---

inline std::string Varint(std::uint32_t number, std::uint64_t value) {
  std::string out;
  AppendTag(out, number, WireType::kVarint);
  AppendVarint(out, value);
  return out;
}
inline std::string Delimited(std::uint32_t number, std::string_view content) {
  std::string out;
  AppendTag(out, number, WireType::kBytes);
  AppendVarint(out, content.size());
  return out.append(content);
}
template <typename T>
std::string Fixed(std::uint32_t number, T value) {
  std::string out;
  AppendTag(out, number, sizeof(T) == 8 ? WireType::kFixed64 : WireType::kFixed32);
  PutLe(out, value);
  return out;
}
inline std::string Identity(std::uint64_t seq = 7) {
  return Varint(kFieldSeq, seq) + Varint(kFieldEventTimeUs, 1'700'000'000'000'000);
}
inline std::string Head() {
  return Varint(1, 5) + Fixed<std::uint64_t>(2, 0x0123456789abcdef) + Delimited(3, "2.0.0");
}
inline std::string Batch(const std::vector<std::string>& reports) {
  std::string out = Head();
  for (const std::string& report : reports) out += Delimited(10, report);
  return out;
}

// A SplitReport that owns its bytes.
struct Kept {
  SplitReport report;
  std::string raw, safety, telemetry, sealed, unknown;
  std::vector<UnknownField> unknown_fields;
};
inline std::vector<Kept> SplitAll(Splitter& splitter, std::string_view batch,
                                  double offset_km = 0) {
  std::vector<Kept> kept;
  const Status done = splitter.Split(
      AsBytes(batch), offset_km, [](const BatchHead&) {},
      [&](const SplitReport& report) {
        kept.push_back({report,
                        std::string(AsText(report.raw)),
                        std::string(report.safety),
                        std::string(report.telemetry),
                        std::string(report.sealed),
                        std::string(report.unknown),
                        {report.unknown_fields.begin(), report.unknown_fields.end()}});
      });
  CHECK(done.ok());
  return kept;
}

}  // namespace telltale::contract::testing
