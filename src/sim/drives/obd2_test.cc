#include "sim/drives/obd2.h"

#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <string>

#include "sim/drives/csv.h"
#include "sim/drives/drives_testing.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;
using Bytes = std::vector<std::uint8_t>;

TEST(Obd2Test, AnAnswerMayHoldSeveralValues) {
  Report report;
  const auto answer = TakeObdAnswer(Bytes{0x41, 0x0C, 0x1A, 0xF8, 0x0D, 0x32, 0x05, 0x40}, report);
  EXPECT_EQ(answer.values, 3);
  EXPECT_FALSE(answer.is_cut);
  EXPECT_EQ(report.engine_speed_rpm(), 1726);
  EXPECT_EQ(report.obd_speed_kmh(), 50);
  EXPECT_EQ(report.coolant_temperature_c(), 24);
}

TEST(Obd2Test, StatusGivesLampAndCount) {
  Report report;
  EXPECT_EQ(TakeObdAnswer(Bytes{0x41, 0x01, 0x83, 0x07, 0xE1, 0x00}, report).values, 2);
  EXPECT_TRUE(report.is_mil_on());
  EXPECT_EQ(report.dtc_count(), 3u);
}

TEST(Obd2Test, PassesOverWhatHasNoFieldAndStopsAtWhatItDoesNotKnow) {
  Report report;
  EXPECT_EQ(TakeObdAnswer(Bytes{0x41, 0x62, 0x7D, 0x0D, 0x32, 0xFE, 0x0C, 0, 0}, report).values, 1);
  EXPECT_EQ(report.obd_speed_kmh(), 50);
  EXPECT_FALSE(report.has_engine_speed_rpm());
}

TEST(Obd2Test, ACutValueIsNotTaken) {
  Report report;
  const auto answer = TakeObdAnswer(Bytes{0x41, 0x0D, 0x32, 0x0C, 0x1A}, report);
  EXPECT_TRUE(answer.is_cut);
  EXPECT_EQ(answer.values, 1);
  EXPECT_FALSE(report.has_engine_speed_rpm());
  EXPECT_FALSE(TakeObdAnswer(Bytes{0x7F, 0x01, 0x12}, report).is_service_01);
  EXPECT_FALSE(TakeObdAnswer(Bytes{}, report).is_service_01);
}

// "100/255 * A", "(256*A + B) / 4", "A/2 - 64": sums of products of numbers and bytes.
class Formula {
 public:
  Formula(std::string_view text, const Bytes& data) : rest_(text), data_(data) {}
  double Sum() {
    double sum = Product();
    while (true) {
      if (Skip('+')) {
        sum += Product();
      } else if (Skip('-')) {
        sum -= Product();
      } else {
        return sum;
      }
    }
  }
  bool is_read() const { return rest_.empty() && !is_bad_; }

 private:
  bool Skip(char c) {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  double Product() {
    double product = Factor();
    while (true) {
      if (Skip('*')) {
        product *= Factor();
      } else if (Skip('/')) {
        product /= Factor();
      } else {
        return product;
      }
    }
  }
  double Factor() {
    if (Skip('(')) {
      const double sum = Sum();
      is_bad_ = !Skip(')') || is_bad_;
      return sum;
    }
    for (std::size_t i = 0; i < data_.size(); ++i) {
      if (Skip(static_cast<char>('A' + i))) return data_[i];
    }
    double number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    is_bad_ = is_bad_ || error != std::errc();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return number;
  }

  std::string_view rest_;
  const Bytes& data_;
  bool is_bad_ = false;
};

double OnlyValueOf(const Report& report) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  report.GetReflection()->ListFields(report, &fields);
  if (fields.size() != 1) return -1e9;
  return fields[0]->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_FLOAT
             ? double{report.GetReflection()->GetFloat(report, fields[0])}
             : static_cast<double>(report.GetReflection()->GetUInt32(report, fields[0]));
}

TEST(Obd2Test, AgreesWithAPublishedTableOfFormulas) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/obd2-pids/pids_obdex.csv";
  if (!disk.Exists(path)) GTEST_SKIP() << "the table is not here";
  const auto text = ReadWholeFile(disk, path, 1u << 20);
  ASSERT_TRUE(text.ok());
  auto table = CsvTable::Open(*text, {"pid_hex", "formula"});
  ASSERT_TRUE(table.ok());
  CsvRow row;
  std::map<int, int> compared;  // by PID
  while (table->Next(row)) {
    int pid = 0;
    const std::string_view hex = row.Text("pid_hex");
    std::from_chars(hex.data(), hex.data() + hex.size(), pid, 16);
    const auto bytes = row.Get("bytes");
    // PID 01 and A6 are put elsewhere, 41 has no formula.
    if (row.Text("mode") != "01" || row.Text("formula").empty() || !bytes || pid == 0xA6) continue;
    for (const int fill : {0x00, 0x01, 0x5A, 0x80, 0xFF}) {
      Bytes message = {0x41, static_cast<std::uint8_t>(pid)};
      Bytes data;
      for (int i = 0; i < static_cast<int>(*bytes); ++i) {
        data.push_back(static_cast<std::uint8_t>(fill ^ (i * 3)));
      }
      message.insert(message.end(), data.begin(), data.end());
      Report report;
      if (TakeObdAnswer(message, report).values == 0) continue;
      Formula formula(row.Text("formula"), data);
      const double expected = formula.Sum();
      ASSERT_TRUE(formula.is_read()) << hex << ": " << row.Text("formula");
      EXPECT_NEAR(OnlyValueOf(report), expected, 1e-4 * std::abs(expected) + 1e-3)
          << hex << ": " << row.Text("formula");
      ++compared[pid];
    }
  }
  EXPECT_EQ(compared.size(), 31u);  // all that have a field and are numbers
}

}  // namespace
}  // namespace telltale::sim
