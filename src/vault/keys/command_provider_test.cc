// Against a program of its own: testing_key_command.py, copied to a folder of the test.
#include "vault/keys/command_provider.h"

#include <sys/stat.h>

#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

class CommandProviderTest : public testing::Test {
 protected:
  CommandProviderTest() {
    std::string pattern = testing::TempDir() + "/key-command-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    const std::string script =
        std::string(TELLTALE_SOURCE_DIR) + "/src/vault/keys/testing_key_command.py";
    const std::string program = folder_ + "/key-command";
    CHECK(WriteFileDurably(disk_, program, ReadWholeFile(disk_, script).value(), 0755).ok());
    CHECK(chmod(program.c_str(), 0755) == 0);
    provider_ = std::make_unique<CommandProvider>(
        CommandProvider::Options{.program = program, .timeout = Micros::Seconds(20)}, clock_);
    SeededRandom(4).Fill({plain_.data(), plain_.size()});
  }
  void Mode(const std::string& mode) {
    ASSERT_TRUE(WriteFileDurably(disk_, folder_ + "/mode", mode).ok());
  }
  Code WhyNot(const Status& status) {
    EXPECT_FALSE(status.ok());
    return status.ok() ? Code::kInvalid : status.error().code;
  }
  template <typename T>
  Code WhyNot(const Result<T>& result) {
    EXPECT_FALSE(result.ok());
    return result.ok() ? Code::kInvalid : result.error().code;
  }

  PosixDisk disk_;
  SystemClock clock_;
  std::string folder_;
  std::unique_ptr<CommandProvider> provider_;
  seal::SecretKey plain_;
  seal::SecretKey again_;
};

TEST_F(CommandProviderTest, MakesWrapsUnwrapsListsAndDestroys) {
  const std::string id = provider_->Create().value();
  const std::string other = provider_->Create().value();
  const std::string wrapped = provider_->Wrap(id, plain_, "context").value();
  ASSERT_TRUE(provider_->Unwrap(id, wrapped, "context", again_).ok());
  EXPECT_EQ(again_.text(), plain_.text());
  EXPECT_EQ(WhyNot(provider_->Unwrap(id, wrapped, "other", again_)), Code::kCorrupt);
  EXPECT_EQ(provider_->List()->size(), 2u);
  ASSERT_TRUE(provider_->Destroy(id).ok());
  EXPECT_TRUE(provider_->Destroy(id).ok()) << "safe to repeat";
  EXPECT_EQ(WhyNot(provider_->Unwrap(id, wrapped, "context", again_)), Code::kNotFound);
  EXPECT_EQ(*provider_->List(), std::vector<std::string>{other});
}

TEST_F(CommandProviderTest, ATreeLivesUnderIt) {
  SimDisk sim;
  SeededRandom random(1);
  Counters counters;
  auto tree = KeyTree::Open(sim, random, *provider_, counters, {.folder = "/tree", .replicas = {}});
  ASSERT_TRUE(tree.ok()) << tree.error().ToString();
  ASSERT_TRUE((*tree)->EnsureVehicle(VehicleOf(1)).ok());
  ASSERT_TRUE((*tree)->Flush().ok());
  const std::vector<VehicleRef> one = {VehicleOf(1)};
  ASSERT_TRUE((*tree)->Destroy({}, one).ok());
  EXPECT_EQ(provider_->List()->size(), 1u);
  // One that gives back another key than it wrapped is found out before a root is written.
  ASSERT_TRUE((*tree)->EnsureVehicle(VehicleOf(2)).ok());
  ASSERT_TRUE((*tree)->Flush().ok());
  Mode("lie");
  const std::vector<VehicleRef> two = {VehicleOf(2)};
  EXPECT_EQ(WhyNot((*tree)->Destroy({}, two)), Code::kCorrupt);
  Mode("");
  EXPECT_TRUE((*tree)->Retry().ok());
}

TEST_F(CommandProviderTest, OneThatHangsIsEndedAndSaidToBeUnavailable) {
  Mode("hang");
  CommandProvider hasty({.program = folder_ + "/key-command", .timeout = Micros{200'000}}, clock_);
  EXPECT_EQ(WhyNot(hasty.List()), Code::kUnavailable);
  EXPECT_NE(hasty.Create().error().message.find("took too long"), std::string::npos);
}

TEST_F(CommandProviderTest, WhatIsNoAnswerIsRefusedAndNotQuoted) {
  const std::string id = provider_->Create().value();
  for (const char* mode : {"garbage", "chatter"}) {
    Mode(mode);
    EXPECT_EQ(WhyNot(provider_->Create()), Code::kCorrupt) << mode;
    EXPECT_EQ(WhyNot(provider_->List()), Code::kCorrupt) << mode;
    EXPECT_EQ(WhyNot(provider_->Wrap(id, plain_, "")), Code::kCorrupt) << mode;
    EXPECT_EQ(WhyNot(provider_->Unwrap(id, "wrapped", "", again_)), Code::kCorrupt) << mode;
  }
  Mode("fail");
  EXPECT_EQ(WhyNot(provider_->List()), Code::kUnavailable);
  EXPECT_EQ(provider_->List().error().message.find("secret"), std::string::npos);
  EXPECT_EQ(WhyNot(provider_->Destroy(id)), Code::kUnavailable);
  EXPECT_EQ(WhyNot(provider_->Destroy("--all")), Code::kInvalid) << "an id is no option";
}

TEST_F(CommandProviderTest, AProgramThatIsNotThereIsUnavailable) {
  CommandProvider none({.program = folder_ + "/none", .timeout = Micros::Seconds(1)}, clock_);
  EXPECT_EQ(WhyNot(none.Create()), Code::kUnavailable);
}

TEST_F(CommandProviderTest, ItGetsNoEnvironmentOfOurs) {
  CHECK(setenv("TELLTALE_SECRET", "x", 1) == 0);  // NOLINT(concurrency-mt-unsafe)
  const auto end = RunCommand({.program = "/usr/bin/env",
                               .arguments = {},
                               .environment = {"ONLY=this"},
                               .input = "",
                               .timeout = Micros::Seconds(20)},
                              clock_);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->output, "ONLY=this\n");
}

}  // namespace
}  // namespace telltale::vault
