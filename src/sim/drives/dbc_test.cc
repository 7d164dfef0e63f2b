#include "sim/drives/dbc.h"

#include <gtest/gtest.h>

#include "sim/drives/drives_testing.h"

namespace telltale::sim {
namespace {

using Bytes = std::vector<std::uint8_t>;

// A message of eight bytes with this one signal.
DbcSignal SignalOf(const std::string& layout) {
  const auto dbc = Dbc::Parse("BO_ 291 Message: 8 X\n SG_ Signal : " + layout + " X\n");
  EXPECT_TRUE(dbc.ok()) << layout;
  return dbc.ok() ? dbc->messages().front().signals.front() : DbcSignal{};
}

TEST(DbcTest, ReadsBitsInBothOrders) {
  const Bytes data = {0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0};
  EXPECT_EQ(SignalOf("8|16@1+ (1,0) [0|0] \"\"").RawIn(data), 0x5634u);
  EXPECT_EQ(SignalOf("15|16@0+ (1,0) [0|0] \"\"").RawIn(data), 0x3456u);
  EXPECT_EQ(SignalOf("4|8@1+ (1,0) [0|0] \"\"").RawIn(data), 0x41u);
  EXPECT_EQ(SignalOf("3|8@0+ (1,0) [0|0] \"\"").RawIn(data), 0x23u);
  EXPECT_EQ(SignalOf("0|64@1+ (1,0) [0|0] \"\"").RawIn(data), 0xF0DEBC9A78563412u);
  EXPECT_EQ(SignalOf("7|64@0+ (1,0) [0|0] \"\"").RawIn(data), 0x123456789ABCDEF0u);
  EXPECT_EQ(SignalOf("60|8@1+ (1,0) [0|0] \"\"").RawIn(data), std::nullopt);
  EXPECT_EQ(SignalOf("56|16@0+ (1,0) [0|0] \"\"").RawIn(data), std::nullopt);
}

TEST(DbcTest, ScalesWithSign) {
  const Bytes data = {0xFF, 0x80, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(SignalOf("0|8@1- (0.5,10) [-54|73] \"m\"").ValueIn(data), 9.5);
  EXPECT_EQ(SignalOf("0|8@1+ (0.5,10) [0|0] \"m\"").ValueIn(data), 137.5);
  EXPECT_EQ(SignalOf("0|16@1- (1e-02,0) [0|0] \"m\"").ValueIn(data), -325.13);
  EXPECT_EQ(SignalOf("0|64@1- (1,0) [0|0] \"\"").ValueIn(Bytes(8, 0xFF)), -1);
}

constexpr char kExtended[] =
    "BO_ 2028 Battery: 62 Vector__XXX\n"
    " SG_ Charge m257 : 64|8@1+ (0.5,0) [0|0] \"%\" Vector__XXX\n"
    " SG_ response m98M : 23|16@0+ (1,0) [0|0] \"unit\" Vector__XXX\n"
    " SG_ service M : 15|8@0+ (1,0) [0|0] \"\" Vector__XXX\n\n"
    "CM_ SG_ 2028 Charge \"a comment\n SG_ that is no signal\n\";\n"
    "BA_ \"SPN\" SG_ 2028 Charge 4711;\n"
    "SG_MUL_VAL_ 2028 Charge response 257-257, 300-301;\n";

TEST(DbcTest, ALayoutMayHangOnASignalThatHasALayoutItself) {
  const auto dbc = Dbc::Parse(kExtended);
  ASSERT_TRUE(dbc.ok()) << dbc.error().message;
  const DbcMessage* battery = dbc->Find(2028, false);
  ASSERT_NE(battery, nullptr);
  EXPECT_EQ(dbc->Find("Battery"), battery);
  EXPECT_EQ(dbc->Find(2028, true), nullptr);
  ASSERT_EQ(battery->signals.size(), 3u);
  const DbcSignal* charge = battery->Find("Charge");
  EXPECT_EQ(charge->spn, 4711u);
  Bytes data = {62, 0x62, 0x01, 0x01, 0xFF, 0xF7, 0xE7, 0xFF, 0x64};
  EXPECT_TRUE(battery->Has(*charge, data));
  EXPECT_EQ(charge->ValueIn(data), 50);
  data[3] = 0x02;  // another identifier
  EXPECT_FALSE(battery->Has(*charge, data));
  data[2] = 0x01, data[3] = 0x2D;  // 301
  EXPECT_TRUE(battery->Has(*charge, data));
  data[1] = 0x7F;  // a refusal: there is no identifier
  EXPECT_FALSE(battery->Has(*charge, data));
  EXPECT_FALSE(battery->Has(*charge, Bytes{62}));
}

TEST(DbcTest, SignalsThatHangOnEachOtherEnd) {
  const auto dbc = Dbc::Parse(
      "BO_ 1 M: 8 X\n SG_ a m1M : 0|8@1+ (1,0) [0|0] \"\" X\n"
      " SG_ b m1M : 8|8@1+ (1,0) [0|0] \"\" X\n"
      "SG_MUL_VAL_ 1 a b 1-1;\nSG_MUL_VAL_ 1 b a 1-1;\n");
  ASSERT_TRUE(dbc.ok());
  EXPECT_FALSE(dbc->messages()[0].Has(dbc->messages()[0].signals[0], Bytes(8, 1)));
}

TEST(DbcTest, NamesTheLineThatCannotBeRead) {
  for (const std::string bad :
       {"BO_ x Name: 8 X", "BO_ 1", " SG_ a : 0|0@1+ (1,0) [0|0] \"\" X",
        " SG_ a : 0|65@1+ (1,0) [0|0] \"\" X", " SG_ a : 0|8@2+ (1,0) [0|0] \"\" X",
        " SG_ a : 0|8@1+ (x,0) [0|0] \"\" X", " SG_ a mX : 0|8@1+ (1,0) [0|0] \"\" X",
        "SG_MUL_VAL_ 9 a b 1-1;"}) {
    const auto dbc = Dbc::Parse("BO_ 9 Good: 8 X\n" + bad + "\n");
    ASSERT_FALSE(dbc.ok()) << bad;
    EXPECT_EQ(dbc.error().code, Code::kInvalid);
    EXPECT_NE(dbc.error().message.find("line 2"), std::string::npos);
  }
  EXPECT_FALSE(Dbc::Parse(" SG_ a : 0|8@1+ (1,0) [0|0] \"\" X\n").ok());
}

TEST(DbcTest, ReadsTheDatabasesBesideTheRecordings) {
  PosixDisk disk;
  const std::string folder = DataFolder() + "/css-canedge/";
  if (!disk.Exists(folder)) GTEST_SKIP() << "recorded drives are not here";
  for (const auto& [file, signals] : {std::pair<const char*, std::size_t>{"canmod-gps.dbc", 39},
                                      {"tp_uds.dbc", 7},
                                      {"CSS-Electronics-SAE-J1939-DEMO.dbc", 2}}) {
    const auto text = ReadWholeFile(disk, folder + file, 1u << 20);
    ASSERT_TRUE(text.ok());
    const auto dbc = Dbc::Parse(*text);
    ASSERT_TRUE(dbc.ok()) << file << dbc.error().message;
    std::size_t found = 0;
    for (const DbcMessage& message : dbc->messages()) found += message.signals.size();
    EXPECT_EQ(found, signals) << file;
  }
}

}  // namespace
}  // namespace telltale::sim
