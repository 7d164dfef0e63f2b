// From files to descriptors, and the folder of published versions.
#include <fmt/format.h>

#include "contract/check/check_testing.h"
#include "contract/check/version_history.h"

using namespace telltale::contract::check::testing;  // NOLINT

namespace telltale::contract::check {
namespace {

class Folder {
 public:
  explicit Folder(const Texts& texts) {
    for (const auto& [path, text] : texts) Put(path, text);
  }
  void Put(const std::string& path, std::string_view text) {
    CHECK(disk.MakeFolders(ParentFolder(path)).ok());
    CHECK(WriteFileDurably(disk, path, text).ok());
  }
  std::unique_ptr<Source> Read(const std::string& path) {
    auto source = Source::Read(disk, path);
    CHECK(source.ok());
    return std::move(*source);
  }
  std::string ProblemsOf(const std::string& path) {
    std::string all;
    const auto source = Read(path);
    for (const Problem& problem : source->problems()) all += problem.ToString() + "\n";
    return all;
  }
  SimDisk disk;
};

const std::string kHead = "syntax = \"proto3\";\npackage p;\n";

TEST(SourceTest, AMistakeHasItsFileLineAndColumn) {
  Folder folder({{"/c/x/a.proto", kHead + "message M {\n  optional int32 a = ;\n}\n"}});
  EXPECT_EQ(folder.ProblemsOf("/c"), "/c/x/a.proto:4:22: Expected field number.\n");
}

TEST(SourceTest, AnUnknownTypeHasItsPlaceToo) {
  Folder folder({{"/c/a.proto", kHead + "message M {\n  Other o = 1;\n}\n"}});
  EXPECT_EQ(folder.ProblemsOf("/c"), "/c/a.proto:4:3: \"Other\" is not defined.\n");
}

TEST(SourceTest, AMissingImportIsNamedWhereItIsImported) {
  Folder folder({{"/c/a.proto", kHead + "import \"other/b.proto\";\nmessage M { }\n"}});
  EXPECT_EQ(folder.ProblemsOf("/c"),
            "/c/a.proto:3:1: import \"other/b.proto\" is missing: check together with it the "
            "folder that its name begins in\n");
}

TEST(SourceTest, BuiltInImportsNeedNoFile) {
  Folder folder({{"/c/a.proto", kHead + "import \"google/protobuf/timestamp.proto\";\n"
                                        "message M { google.protobuf.Timestamp at = 1; }\n"}});
  const auto source = folder.Read("/c");
  EXPECT_TRUE(source->problems().empty());
  EXPECT_EQ(source->candidate().files.size(), 1u);  // the built-in one is not judged
}

TEST(SourceTest, ImportsAreFoundFromAFolderAbove) {
  Folder folder({{"/c/x/v1/a.proto", kHead + "import \"x/v1/b.proto\";\nmessage M { N n = 1; }\n"},
                 {"/c/x/v1/b.proto", kHead + "message N { }\n"}});
  for (const std::string path : {"/c", "/c/x", "/c/x/v1", "/c/x/v1/a.proto"}) {
    const auto source = folder.Read(path);
    ASSERT_TRUE(source->problems().empty()) << path;
    ASSERT_EQ(source->candidate().files.size(), 2u) << path;
    EXPECT_NE(source->candidate().pool->FindFileByName("x/v1/a.proto"), nullptr) << path;
  }
}

TEST(SourceTest, AnImportDoesNotLeaveTheFolder) {
  Folder folder(
      {{"/c/a.proto", kHead + "import \"../secret.proto\";\n"}, {"/secret.proto", kHead}});
  EXPECT_NE(folder.ProblemsOf("/c"), "");
}

TEST(SourceTest, AFolderWithoutProtoFilesCannotBeJudged) {
  Folder folder(Texts{{"/c/readme.md", "x"}});
  EXPECT_EQ(folder.ProblemsOf("/c"), "/c: holds no .proto file: name the folder that does\n");
  EXPECT_EQ(Source::Read(folder.disk, "/none").error().code, Code::kNotFound);
}

TEST(SourceTest, ADescriptorSetIsReadBackAsItWasWritten) {
  Folder folder({{"/c/a.proto", kHead + "message M { optional int32 a_b = 1; }\n"}});
  const auto source = folder.Read("/c");
  folder.Put("/set.desc", source->DescriptorSet());
  const auto read = folder.Read("/set.desc");
  EXPECT_TRUE(read->problems().empty());
  EXPECT_EQ(read->DescriptorSet(), source->DescriptorSet());
  const Version version = read->AsVersion("1");
  const auto told = Compare(source->candidate(), {&version, 1});
  EXPECT_EQ(Ids(*told), "");
  folder.Put("/bad.desc", "\xff\xff\xff");
  EXPECT_NE(folder.ProblemsOf("/bad.desc"), "");
}

TEST(SourceTest, TheSameFilesGiveTheSameBytes) {
  const Texts texts = {{"/c/b.proto", kHead + "message N { }"},
                       {"/c/a.proto", kHead + "import \"b.proto\"; message M { N n = 1; }"}};
  EXPECT_EQ(Folder(texts).Read("/c")->DescriptorSet(), Folder(texts).Read("/c")->DescriptorSet());
  Texts commented = texts;
  commented["/c/b.proto"] = kHead + "// a remark\nmessage N {\n}";
  EXPECT_EQ(Folder(commented).Read("/c")->DescriptorSet(),
            Folder(texts).Read("/c")->DescriptorSet());
}

TEST(SourceTest, TwoSingleFilesAreTwoVersionsOfOne) {
  Folder folder({{"/old.proto", kHead + "import \"n.proto\"; message M { optional int32 a = 1; }"},
                 {"/new.proto", kHead + "import \"n.proto\"; message M { }"},
                 {"/n.proto", kHead + "message N { }"}});
  const auto now = folder.Read("/new.proto");
  const auto before = folder.Read("/old.proto");
  const Version version = VersionFor(*now, *before, "old");
  const auto told = Compare(now->candidate(), {&version, 1});
  EXPECT_EQ(Ids(*told), "field-removed p.M.a");
  EXPECT_EQ(told->findings[0].place.file, "/old.proto");
}

// The published versions. The digest is no crypto here: it only has to tell contents apart.

std::string FakeDigest(std::string_view bytes) {
  return fmt::format("{:016x}", std::hash<std::string_view>{}(bytes));
}

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() { CHECK(disk_.MakeFolders("/h").ok()); }

  std::string SetOf(const std::string& body) {
    return Parse({{"a.proto", kHead + body}})->DescriptorSet();
  }
  Published Read() {
    auto published = ReadHistory(disk_, "/h", FakeDigest);
    CHECK(published.ok());
    return std::move(*published);
  }
  Result<std::string> Append(const std::string& body, const std::string& approvals = "") {
    const std::string set = SetOf(body);
    return AppendVersion(disk_, "/h", Read(), {set, FakeDigest(set), approvals});
  }
  std::string Problems() {
    std::string all;
    const Published published = Read();
    for (const Problem& problem : published.problems) all += problem.ToString() + "\n";
    return all;
  }

  SimDisk disk_;
};

TEST_F(HistoryTest, VersionsAreReadInTheOrderOfTheirNumbers) {
  ASSERT_TRUE(Append("message M { }").ok());
  const auto second = Append("message M { optional int32 a = 1; }", "approvals: []\n");
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->starts_with("/h/0002-"));
  const Published published = Read();
  ASSERT_EQ(published.versions.size(), 2u);
  EXPECT_EQ(published.versions[1].name, "0002");
  EXPECT_EQ(published.approvals[0], "");
  EXPECT_TRUE(published.approvals[1].ends_with(".approvals.yaml"));
  EXPECT_EQ(Problems(), "");
}

TEST_F(HistoryTest, AGapAChangedFileAndAStrangerCannotBeJudged) {
  ASSERT_TRUE(Append("message M { }").ok());
  const auto second = Append("message M { optional int32 a = 1; }");
  ASSERT_TRUE(Append("message M { optional int32 a = 1; optional int32 b = 2; }").ok());
  ASSERT_TRUE(disk_.Remove(*second).ok());
  EXPECT_NE(Problems().find("0002 is missing before it"), std::string::npos);
  CHECK(WriteFileDurably(disk_, *second, "changed").ok());
  EXPECT_NE(Problems().find("it was changed, or cut by a crash"), std::string::npos);
  CHECK(WriteFileDurably(disk_, "/h/7.desc", "").ok());
  EXPECT_NE(Problems().find("/h/7.desc: is not named"), std::string::npos);
}

TEST_F(HistoryTest, ANumberThatWasTakenMeanwhileIsNotTakenTwice) {
  const Published before = Read();
  ASSERT_TRUE(Append("message M { }").ok());
  const std::string set = SetOf("message N { }");
  const auto late = AppendVersion(disk_, "/h", before, {set, FakeDigest(set), "approvals: []\n"});
  EXPECT_EQ(late.error().code, Code::kExists);
  EXPECT_EQ(Read().versions.size(), 1u);
  EXPECT_EQ(Problems(), "");
}

TEST_F(HistoryTest, WhatWasAppendedSurvivesAPowerCut) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string body = "message M" + std::to_string(seed) + " { }";
    ASSERT_TRUE(Append(body, "approvals: []\n").ok());
    disk_.Crash(seed);
    EXPECT_EQ(Read().versions.size(), seed);
    EXPECT_EQ(Problems(), "");
  }
}

TEST_F(HistoryTest, AFullDiskAddsNothing) {
  ASSERT_TRUE(Append("message M { }").ok());
  disk_.SetCapacity(1);
  EXPECT_FALSE(Append("message M { optional int32 a = 1; }").ok());
  EXPECT_EQ(Read().versions.size(), 1u);
  EXPECT_EQ(Problems(), "");
}

}  // namespace
}  // namespace telltale::contract::check
