// A field that was sealed does not come out open unseen, also where no observer counts.
#include "control/opened_fields.h"

#include "contract/report_oracle.h"
#include "control/gate_object.h"
#include "control/gate_watch.h"
#include "control/plane_testing.h"

namespace telltale::control {
namespace {

namespace pb = google::protobuf;
using contract::testing::AddField;
using contract::testing::FindField;
using contract::testing::FindMessage;
using contract::testing::Load;
using contract::testing::PrivacySpec;
using contract::testing::SetSpec;
using contract::testing::ShippedFiles;
using nlohmann::json;

constexpr const char* kRules = "version: 1\nrules:\n  - {name: a, kind: edge, field: is_a}\n";
constexpr int kOpenClass = 1;  // PrivacyClass, options.proto

pb::FileDescriptorSet Opening(const std::string& message, const std::string& field) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(FindField(FindMessage(files, message), field), PrivacySpec(kOpenClass));
  return files;
}

TEST(OpenedFieldsTest, OnlyWhatWasSealedAndIsOpen) {
  const auto shipped = Load(ShippedFiles());
  const auto opened = Load(Opening("Report", "altitude_m"));
  EXPECT_EQ(OpenedFields(*shipped, *opened), std::vector<std::string>{"altitude_m"});
  EXPECT_TRUE(OpenedFields(*shipped, *shipped).empty());
  EXPECT_TRUE(OpenedFields(*opened, *shipped).empty());  // sealed again
  pb::FileDescriptorSet more = ShippedFiles();
  SetSpec(AddField(FindMessage(more, "Report"), "fresh", 901, pb::FieldDescriptorProto::TYPE_BOOL),
          PrivacySpec(kOpenClass));
  EXPECT_TRUE(OpenedFields(*shipped, *Load(more)).empty());
}

class OneSpeakerTest : public PlaneTest {
 protected:
  OneSpeakerTest() {
    Put("gates", "evidence", {{"kind", "evidence"}, {"dimensions", {"model"}}});
    gate_ = Must(Do("local:0", "gates.get", "evidence"));
  }
  std::string Install(const std::string& contract) {
    auto shelf = MakeFolderShelf(disk_, Paths("/control"));
    std::string release = Push(*shelf, kRules, {{"contract", contract}});
    EXPECT_TRUE(shelf->InstallInto(Paths("/staging"), release).ok());
    return release;
  }
  gate::Report Look(const std::string& stable, const std::string& candidate) {
    WorldInstallation installation(Of("staging"));
    const GateQuestion question{.names = {.environment = "world",
                                          .rollout = "staging-1",
                                          .candidate = candidate,
                                          .stable = stable},
                                .gate = gate_,
                                .approvals = json::array(),
                                .has_one_speaker = true};
    GateWatch watch;
    return watch.Look(disk_, Paths("/staging"), installation, question, Micros::Seconds(kStart_s))
        .report;
  }

  json gate_;
};

TEST_F(OneSpeakerTest, AFieldThatComesOutOpenHaltsAndNoPersonIsAsked) {
  const std::string stable = Install(ShippedFiles().SerializeAsString());
  const std::string candidate = Install(Opening("Report", "altitude_m").SerializeAsString());
  const gate::Report report = Look(stable, candidate);
  EXPECT_EQ(report.verdict.outcome, gate::Outcome::kHalt);
  EXPECT_EQ(report.verdict.rule, gate::Rule::kSealedToOpen);
  EXPECT_NE(report.verdict.words.find("altitude_m"), std::string::npos) << report.verdict.words;
  EXPECT_FALSE(report.needs_confirmation);
  EXPECT_EQ(Look(candidate, stable).verdict.rule, gate::Rule::kConfirmation);
}

TEST_F(OneSpeakerTest, WhatIsDeclaredIsForAPersonToConfirm) {
  const std::string stable = Install(ShippedFiles().SerializeAsString());
  const std::string candidate = Install(Opening("Report", "altitude_m").SerializeAsString());
  const auto declare = [&](const std::string& field) {
    Declaration declared{.name = "opens", .about = "", .changes = {}};
    declared.changes.push_back(
        {.about = DeclaredChange::About::kField, .name = field, .why = "two have agreed"});
    EXPECT_TRUE(WriteFileDurably(disk_, "/staging/data/releases/" + candidate + "/declared.json",
                                 DeclarationJson(declared), 0644)
                    .ok());
  };
  declare("latitude_deg");
  EXPECT_EQ(Look(stable, candidate).verdict.rule, gate::Rule::kSealedToOpen);
  declare("altitude_m");
  EXPECT_EQ(Look(stable, candidate).verdict.rule, gate::Rule::kConfirmation);
}

TEST_F(OneSpeakerTest, AContractThatCannotBeReadHolds) {
  const std::string stable = Install(ShippedFiles().SerializeAsString());
  const gate::Report report = Look(stable, Install("no contract"));
  EXPECT_EQ(report.verdict.outcome, gate::Outcome::kHold);
  EXPECT_EQ(report.verdict.rule, gate::Rule::kSettingsInvalid);
  EXPECT_NE(report.verdict.words.find("contracts"), std::string::npos) << report.verdict.words;
}

}  // namespace
}  // namespace telltale::control
