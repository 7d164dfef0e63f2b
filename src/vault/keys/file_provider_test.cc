#include "vault/keys/file_provider.h"

#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

class FileProviderTest : public testing::Test {
 protected:
  FileProviderTest() : provider_(FileProvider::Open(disk_, "/keys/root", random_).value()) {
    random_.Fill({plain_.data(), plain_.size()});
  }
  SimDisk disk_;
  SeededRandom random_{3};
  std::unique_ptr<FileProvider> provider_;
  seal::SecretKey plain_;
  seal::SecretKey again_;
};

TEST_F(FileProviderTest, WhatItWrapsOpensWithItsKeyAndContextAlone) {
  const std::string id = provider_->Create().value();
  const std::string other = provider_->Create().value();
  const std::string wrapped = provider_->Wrap(id, plain_, "context").value();
  provider_ = FileProvider::Open(disk_, "/keys/root", random_).value();
  ASSERT_TRUE(provider_->Unwrap(id, wrapped, "context", again_).ok());
  EXPECT_EQ(again_.text(), plain_.text());
  EXPECT_EQ(provider_->Unwrap(id, wrapped, "other", again_).error().code, Code::kCorrupt);
  EXPECT_EQ(provider_->Unwrap(other, wrapped, "context", again_).error().code, Code::kCorrupt);
  EXPECT_EQ(provider_->Unwrap(id, wrapped.substr(1), "context", again_).error().code,
            Code::kCorrupt);
  EXPECT_EQ(provider_->Unwrap("../seal", wrapped, "context", again_).error().code, Code::kNotFound);
  EXPECT_NE(provider_->Wrap(id, plain_, "context").value(), wrapped);
}

TEST_F(FileProviderTest, ADestroyedKeyIsGoneAtEveryPowerCutOnceItSaidSo) {
  for (std::uint64_t calls = 0; calls < 6; ++calls) {
    const std::string id = provider_->Create().value();
    const std::string hex = ReadWholeFile(disk_, "/keys/root/" + id + ".key")->substr(0, 64);
    disk_.FailAfter(calls);
    const bool done = provider_->Destroy(id).ok();
    disk_.FailNever();
    disk_.Crash(calls);
    provider_ = FileProvider::Open(disk_, "/keys/root", random_).value();
    const auto left = provider_->List().value();
    if (done) {
      EXPECT_TRUE(left.empty()) << calls;
    }
    for (const std::string& one : left) EXPECT_TRUE(provider_->Destroy(one).ok());
    EXPECT_TRUE(provider_->Destroy(id).ok()) << "safe to repeat";
    EXPECT_TRUE(disk_.List("/keys/root")->empty()) << calls;
  }
}

TEST_F(FileProviderTest, EachStepOfADestructionIsTriedWhateverTheOneBeforeSaid) {
  const std::string id = provider_->Create().value();
  disk_.FailReads(false);
  disk_.LoseAtSync(0);  // of the overwriting
  EXPECT_FALSE(provider_->Destroy(id).ok());
  EXPECT_TRUE(provider_->List()->empty()) << "unlinked all the same";
}

TEST_F(FileProviderTest, AKeyWhoseMakingWasCutIsRemoved) {
  ASSERT_TRUE(WriteFileDurably(disk_, "/keys/root/x", "").ok());
  ASSERT_TRUE(disk_.Rename("/keys/root/x", "/keys/root/" + std::string(32, 'a') + ".key.tmp").ok());
  provider_ = FileProvider::Open(disk_, "/keys/root", random_).value();
  EXPECT_TRUE(disk_.List("/keys/root")->empty());
}

}  // namespace
}  // namespace telltale::vault
