#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "control/release_diff.h"
#include "control/release_shelf.h"
#include "control/release_store.h"

namespace telltale::control {
namespace {

namespace fs = std::filesystem;

constexpr const char* kYaml = R"(version: 1
name: softer-brakes
about: fewer alerts in town
declared:
  - rule: hard_braking
    fires_percent: [-20, -10]
    why: level raised to 0.45 g
)";
constexpr const char* kRules = R"(version: 1
rules:
  - name: hard_braking
    kind: threshold
    fields: [acceleration_longitudinal_mps2]
    level: {value: 3.92, unit: m/s2}
    severity:
      - {from: {value: 3.0, unit: m/s2}, severity: LOW}
      - {from: {value: 5.88, unit: m/s2}, severity: HIGH}
  - name: emergency
    kind: edge
    field: is_aeb_engaged
)";
const Micros kBuiltAt = Micros::Seconds(1'796'000'000);

class ReleaseTest : public testing::Test {
 protected:
  ReleaseTest() : folder_(MakeFolder()), paths_(folder_ + "/dir") {
    fs::create_directories(Sources());
    fs::create_directories(folder_ + "/shipped");
    fs::create_directories(paths_.keys());
    Write("sources/release.yaml", kYaml);
    Write("sources/rules.yaml", kRules);
    Write("worker", "a program");
    Write("shipped/crank_dip.sql", "SELECT speed_kmh\nFROM telemetry\n");
    CHECK(MakeReleaseKey(disk_, paths_, false).ok());
    key_ = {*seal::LoadKey(disk_, paths_.keys() + "/release.key"),
            *seal::LoadKey(disk_, paths_.keys() + "/release.pub")};
  }
  ~ReleaseTest() override { fs::remove_all(folder_); }

  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "/release-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }
  std::string Sources() const { return folder_ + "/sources"; }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
  }
  Result<ReleaseContent> Build() {
    return BuildRelease(disk_,
                        {.folder = Sources(),
                         .contract_descriptor = TELLTALE_BUILD_DIR "/share/telltale/contract.desc",
                         .features = folder_ + "/shipped",
                         .engine = folder_ + "/worker"},
                        nullptr);
  }
  ReleaseContent MustBuild() {
    auto built = Build();
    EXPECT_TRUE(built.ok()) << built.error().ToString();
    EXPECT_TRUE(SignBundle(built->bundle, key_, kBuiltAt).ok());
    return std::move(built).value();
  }
  StoredRelease MustPush(const ReleaseContent& content) {
    StoreSink sink(store_);
    const Status pushed = Push(content, sink);
    EXPECT_TRUE(pushed.ok()) << pushed.error().ToString();
    return *store_.Get(content.id());
  }

  PosixDisk disk_;
  const std::string folder_;
  const Paths paths_;
  seal::KeyPair key_;
  ReleaseStore store_{disk_, paths_};
};

TEST_F(ReleaseTest, TheSameSourcesGiveTheSameReleaseAndAChangedOneAnother) {
  const std::string id = MustBuild().id();
  EXPECT_EQ(MustBuild().id(), id);
  fs::copy(Sources(), folder_ + "/elsewhere", fs::copy_options::recursive);
  EXPECT_EQ(MustBuild().id(), id);
  for (const auto& [file, text] : {std::pair<const char*, const char*>{"worker", "another program"},
                                   {"shipped/crank_dip.sql", "SELECT 1\n"},
                                   {"sources/rules.yaml", "rules:\n  - name: hard_braking\n"}}) {
    const std::string before = *ReadWholeFile(disk_, folder_ + "/" + file);
    Write(file, text);
    EXPECT_NE(MustBuild().id(), id) << file;
    Write(file, before);
  }
  EXPECT_EQ(MustBuild().id(), id);
}

TEST(ReleaseIdInTest, ANameGoesBeforeABeginningAndWhatMayBeTwoIsRefused) {
  const std::string one = "abcdef" + std::string(58, '0'), other = "abcdef" + std::string(58, '1');
  const std::vector<ReleaseName> all = {{one, "brakes", "2026-01-01T00:00:00Z"},
                                        {other, "brakes", "2026-01-02T00:00:00Z"},
                                        {std::string(64, '2'), "", ""}};
  EXPECT_EQ(*ReleaseIdIn(all, "brakes"), other);  // the newest
  EXPECT_EQ(*ReleaseIdIn(all, one), one);
  EXPECT_EQ(*ReleaseIdIn(all, "abcdef0"), one);
  EXPECT_EQ(ReleaseIdIn(all, "abcdef").error().code, Code::kInvalid);
  for (const char* nothing : {"", "abcde", "brake", "ABCDEF0", "33333333"}) {
    EXPECT_EQ(ReleaseIdIn(all, nothing).error().code, Code::kNotFound) << nothing;
  }
  EXPECT_EQ(*ReleaseIdIn({{one, "222222", ""}, {std::string(64, '2'), "", ""}}, "222222"), one);
}

TEST_F(ReleaseTest, AManifestNamesEveryComponent) {
  const ReleaseContent content = MustBuild();
  std::vector<std::string> names;
  for (const auto& [name, digest] : content.components) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"contract", "engine", "features", "rules", "transforms"}));
  ASSERT_NE(content.Find("features"), nullptr);
  EXPECT_EQ(*content.Find("features"),
            "{\"crank_dip\":\"" + content.features.at("crank_dip") + "\"}");
}

TEST_F(ReleaseTest, WhatIsWrongInTheSourcesIsNamed) {
  const auto refused = [&](const std::string& file, const std::string& text) {
    const fs::path path = folder_ + "/sources/" + file;
    const bool was_there = fs::exists(path);
    const std::string before = was_there ? *ReadWholeFile(disk_, path) : "";
    Write("sources/" + file, text);
    const auto built = Build();
    was_there ? Write("sources/" + file, before) : void(fs::remove(path));
    return built.ok() ? std::string() : built.error().message;
  };
  const std::string head = "version: 1\nname: a\n";
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(refused("rule.yaml", ""), "rule.yaml"));
  EXPECT_TRUE(has(refused("transforms.yaml", ""), "stand in the contract"));
  EXPECT_TRUE(
      has(refused("release.yaml", head + "declare: []\n"), "line 3: unknown key `declare`"));
  EXPECT_TRUE(has(refused("release.yaml", "name: a\n"), "version: 1"));
  EXPECT_TRUE(has(refused("release.yaml", "version: 1\nname: A b\n"), "`name` must be"));
  const auto change = [&](const std::string& text) {
    return refused("release.yaml", head + "declared:\n  - {" + text + "}\n");
  };
  EXPECT_TRUE(has(change("rule: hard_brakin, why: x"), "hard_brakin"));
  EXPECT_TRUE(has(change("rule: hard_braking"), "`why`"));
  EXPECT_TRUE(has(change("rule: hard_braking, removed: true, why: x"), "declared removed"));
  EXPECT_TRUE(has(change("rule: hard_braking, fires_percent: [10, 5], why: x"), "LOW first"));
  EXPECT_TRUE(has(change("rule: hard_braking, rows_percent: [1, 5], why: x"), "fires_percent"));
  EXPECT_TRUE(has(change("field: no_such_field, why: x"), "no_such_field"));
  EXPECT_TRUE(has(change("rule: emergency, field: speed_kmh, why: x"), "names one"));
  EXPECT_EQ(change("engine: true, why: faster"), "");
  EXPECT_EQ(change("rule: gone_rule, removed: true, why: never fired"), "");
}

TEST_F(ReleaseTest, WhatIsDeclaredComesThroughItsCanonicalForm) {
  const ReleaseContent content = MustBuild();
  ASSERT_EQ(content.declaration.changes.size(), 1u);
  EXPECT_EQ(InWords(content.declaration.changes[0]), "fires 10 to 20 % less");
  const auto read = ParseDeclaration(content.bundle.declared);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(*read, content.declaration);
  DeclaredChange up_to_none = content.declaration.changes[0];
  up_to_none.percent->high = 0;
  EXPECT_EQ(InWords(up_to_none), "fires 0 to 20 % less");
  EXPECT_EQ(ParseDeclaration(content.bundle.declared + " ").error().code, Code::kCorrupt);
}

// As version 1 wrote them: these bytes stay readable, and are what is written.
TEST_F(ReleaseTest, DeclarationAndSignatureAreTheseBytesAndNoOthers) {
  const std::string declared =
      R"({"about":"in town","declared":[{"about":"rule","fires_percent":[-20.0,-10.5],)"
      R"("name":"hard_braking","payload":true,"why":"level"},)"
      R"({"about":"feature","name":"crank_dip","removed":true,"why":"unused"},)"
      R"({"about":"engine","why":"faster"}],"format":1,"name":"a-1"})";
  const auto declaration = ParseDeclaration(declared);
  ASSERT_TRUE(declaration.ok()) << declaration.error().ToString();
  ASSERT_EQ(declaration->changes.size(), 3u);
  EXPECT_EQ(InWords(declaration->changes[0]), "fires 10.5 to 20 % less, says something else");
  EXPECT_EQ(DeclarationJson(*declaration), declared);
  const std::string text = R"({"built_at":"2026-11-30T00:53:20Z","format":1,)"
                           R"("key_id":"0011223344556677","signature":")" +
                           std::string(128, 'a') + R"("})";
  const auto signature = ParseSignature(text);
  ASSERT_TRUE(signature.ok()) << signature.error().ToString();
  EXPECT_EQ(signature->built_at, "2026-11-30T00:53:20Z");
  EXPECT_EQ(signature->key_id, "0011223344556677");
  EXPECT_EQ(signature->signature, std::string(64, '\xaa'));
  std::string newer = declared;
  newer.replace(newer.find("\"format\":1"), 10, "\"format\":2");
  EXPECT_EQ(ParseDeclaration(newer).error().code, Code::kUnsupported);
}

// A signature made elsewhere holds here, and so the signed text is what docs/formats says.
TEST_F(ReleaseTest, TheSignedTextIsFourLines) {
  const ReleaseBundle bundle{.manifest = "m", .declared = "d", .signature = ""};
  EXPECT_EQ(SignedText(bundle, "2026-11-30T00:53:20Z"),
            "telltale release 1\n"
            "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a\n"
            "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4\n"
            "2026-11-30T00:53:20Z\n");
}

TEST_F(ReleaseTest, OnlyASignedReleaseOfATrustedKeyIsTakenIn) {
  ReleaseContent content = MustBuild();
  const ReleaseBundle good = content.bundle;
  StoreSink sink(store_);
  content.bundle.signature.clear();
  EXPECT_EQ(Push(content, sink).error().code, Code::kRefused);
  ASSERT_TRUE(SignBundle(content.bundle, *seal::MakeEd25519(), kBuiltAt).ok());
  const Status stranger = Push(content, sink);
  EXPECT_EQ(stranger.error().code, Code::kRefused);
  EXPECT_NE(stranger.error().message.find("not trusted"), std::string::npos);
  EXPECT_TRUE(store_.List()->empty());
  content.bundle = good;
  const StoredRelease stored = MustPush(content);
  EXPECT_EQ(stored.signed_by, "local");
  EXPECT_EQ(stored.built_at, "2026-11-30T00:53:20Z");
  EXPECT_EQ(stored.declaration.name, "softer-brakes");
}

TEST_F(ReleaseTest, NoByteOfManifestDeclarationOrSignatureCanBeChanged) {
  const auto keys = *ReadTrustedKeys(disk_, paths_);
  const ReleaseBundle good = MustBuild().bundle;
  ASSERT_TRUE(VerifyBundle(good, keys).ok());
  for (std::string ReleaseBundle::* part :
       {&ReleaseBundle::manifest, &ReleaseBundle::declared, &ReleaseBundle::signature}) {
    for (std::size_t i = 0; i < (good.*part).size(); ++i) {
      ReleaseBundle changed = good;
      (changed.*part)[i] = static_cast<char>((changed.*part)[i] ^ 0x01);
      EXPECT_FALSE(VerifyBundle(changed, keys).ok()) << "byte " << i;
      changed.*part = (good.*part).substr(0, i);
      EXPECT_FALSE(VerifyBundle(changed, keys).ok()) << "cut at " << i;
    }
  }
}

TEST_F(ReleaseTest, AChangedByteOfAnyStoredFileIsFound) {
  const ReleaseContent content = MustBuild();
  MustPush(content);
  ASSERT_TRUE(store_.Verify(content.id()).ok());
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(paths_.data() + "/control")) {
    const bool is_key = entry.path().string().find("release-keys") != std::string::npos;
    if (entry.is_regular_file() && !is_key) files.push_back(entry.path());
  }
  EXPECT_EQ(files.size(), 3 + content.blobs.size());
  for (const fs::path& file : files) {
    const std::string before = *ReadWholeFile(disk_, file);
    for (const std::size_t at : {std::size_t{0}, before.size() / 2, before.size() - 1}) {
      std::string changed = before;
      changed[at] = static_cast<char>(changed[at] ^ 0x20);
      std::ofstream(file) << changed;
      EXPECT_FALSE(store_.Verify(content.id()).ok()) << file << " byte " << at;
    }
    std::ofstream(file) << before;
  }
  EXPECT_TRUE(store_.Verify(content.id()).ok());
}

TEST_F(ReleaseTest, AReleaseIsTakenInOnlyWithAllOfItsBlobsAndOnce) {
  const ReleaseContent content = MustBuild();
  EXPECT_EQ(store_.PutRelease(content.bundle).error().code, Code::kNotFound);
  EXPECT_EQ(store_.PutBlob(content.components.at("rules"), "other").error().code, Code::kInvalid);
  EXPECT_EQ(store_.PutBlob("../x", "other").error().code, Code::kInvalid);
  MustPush(content);
  MustPush(content);
  EXPECT_EQ(store_.List()->size(), 1u);
  // The same components, but other words about them.
  Write("sources/release.yaml", "version: 1\nname: other\n");
  StoreSink sink(store_);
  EXPECT_EQ(Push(MustBuild(), sink).error().code, Code::kExists);
}

TEST_F(ReleaseTest, AReleaseIsFoundByNameAndByTheBeginningOfItsId) {
  const std::string id = MustPush(MustBuild()).id;
  EXPECT_EQ(store_.Find("softer-brakes")->id, id);
  EXPECT_EQ(store_.Find(id.substr(0, 6))->id, id);
  EXPECT_EQ(store_.Find(id)->id, id);
  EXPECT_EQ(store_.Find(id.substr(0, 5)).error().code, Code::kNotFound);
  EXPECT_EQ(store_.Find("").error().code, Code::kNotFound);
}

TEST_F(ReleaseTest, AFolderOfABuiltReleaseIsReadBackWholeOrNotAtAll) {
  const ReleaseContent content = MustBuild();
  const std::string out = folder_ + "/out";
  ASSERT_TRUE(WriteReleaseFolder(disk_, out, content).ok());
  const auto read = ReadReleaseFolder(disk_, out);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->id(), content.id());
  EXPECT_EQ(read->blobs, content.blobs);
  std::ofstream(out + "/blobs/" + content.components.at("engine")) << "another program";
  EXPECT_EQ(ReadReleaseFolder(disk_, out).error().code, Code::kCorrupt);
}

TEST_F(ReleaseTest, InstallingPutsEveryPartWhereItsReaderLooks) {
  const ReleaseContent content = MustBuild();
  MustPush(content);
  const Paths environment(folder_ + "/prod");
  ASSERT_TRUE(store_.InstallInto(environment, content.id()).ok());
  ASSERT_TRUE(store_.InstallInto(environment, content.id()).ok());
  EXPECT_TRUE(LoadRelease(disk_, environment, content.id()).ok());
  const std::string engine = environment.data() + "/engines/" + content.components.at("engine");
  EXPECT_EQ(*ReadWholeFile(disk_, engine), "a program");
  EXPECT_EQ(fs::status(engine).permissions() & fs::perms::owner_exec, fs::perms::owner_exec);
  EXPECT_TRUE(
      disk_.Exists(environment.releases() + "/" + content.id() + "/features/crank_dip.sql"));
}

TEST_F(ReleaseTest, TheReleaseThatInitMadeIsListedAndCanBeComparedWith) {
  const auto made = InstallRelease(disk_,
                                   {TELLTALE_BUILD_DIR "/share/telltale/contract.desc",
                                    Sources() + "/rules.yaml", folder_ + "/worker"},
                                   paths_);
  ASSERT_TRUE(made.ok());
  ASSERT_EQ(store_.List()->size(), 1u);
  EXPECT_EQ(store_.List()->front().signed_by, "");
  EXPECT_TRUE(store_.InstallInto(paths_, made->id).ok());
  EXPECT_EQ(store_.InstallInto(Paths(folder_ + "/other"), made->id).error().code, Code::kNotFound);
  const auto before = store_.Content(made->id);
  ASSERT_TRUE(before.ok()) << before.error().ToString();
  const auto diff = DiffReleases(*before, MustBuild());
  ASSERT_TRUE(diff.ok());
  EXPECT_EQ(diff->changed, std::vector<std::string>{"features"});
  EXPECT_FALSE(diff->dual_run.safety);
  EXPECT_FALSE(diff->dual_run.telemetry);
}

TEST_F(ReleaseTest, ADiffSaysInWordsWhichRuleChangesAndOnlyThatRunsTwice) {
  const ReleaseContent before = MustBuild();
  std::string rules = kRules;
  rules.replace(rules.find("3.92"), 4, "4.41");
  rules.replace(rules.find("5.88"), 4, "6.00");
  Write("sources/rules.yaml", rules);
  const auto diff = DiffReleases(before, MustBuild());
  ASSERT_TRUE(diff.ok()) << diff.error().ToString();
  ASSERT_EQ(diff->rules.size(), 1u);
  EXPECT_EQ(diff->rules[0].name, "hard_braking");
  ASSERT_EQ(diff->rules[0].keys.size(), 2u);
  EXPECT_EQ(diff->rules[0].keys[0].before, "3.92 m/s2");
  EXPECT_EQ(diff->rules[0].keys[0].after, "4.41 m/s2");
  EXPECT_EQ(diff->rules[0].keys[1].after, "LOW from 3.0 m/s2, HIGH from 6.00 m/s2");
  EXPECT_EQ(diff->changed, std::vector<std::string>{"rules"});
  EXPECT_TRUE(diff->dual_run.safety);
  EXPECT_FALSE(diff->dual_run.telemetry);
  EXPECT_TRUE(diff->dual_run.features.empty());
  EXPECT_EQ(ToJson(*diff)["dual_run"]["because"].size(), 1u);
}

TEST_F(ReleaseTest, ADiffOfAReleaseWithItselfIsEmpty) {
  const ReleaseContent content = MustBuild();
  const auto diff = DiffReleases(content, content);
  ASSERT_TRUE(diff.ok());
  EXPECT_TRUE(diff->changed.empty() && diff->rules.empty() && diff->fields.empty() &&
              diff->features.empty() && diff->dual_run.because.empty());
  EXPECT_EQ(diff->compatibility.verdict, Compatibility::Verdict::kSame);
}

TEST_F(ReleaseTest, AChangedFeatureAloneRunsTwice) {
  const ReleaseContent before = MustBuild();
  Write("shipped/crank_dip.sql", "SELECT speed_kmh\nFROM arrivals\nLIMIT 1\n");
  const auto diff = DiffReleases(before, MustBuild());
  ASSERT_TRUE(diff.ok());
  ASSERT_EQ(diff->features.size(), 1u);
  EXPECT_EQ(diff->features[0].lines_added, 2u);
  EXPECT_EQ(diff->features[0].lines_removed, 1u);
  EXPECT_FALSE(diff->dual_run.safety);
  EXPECT_EQ(diff->dual_run.features, std::vector<std::string>{"crank_dip"});
}

TEST_F(ReleaseTest, AnEarlierPublishedContractDiffersFieldByFieldWithAVerdict) {
  const ReleaseContent now = MustBuild();
  const std::string history = TELLTALE_SOURCE_DIR "/contract/history/0001-cf4298ca5574.desc";
  fs::copy_file(history, Sources() + "/contract.desc");
  const ReleaseContent then = MustBuild();
  const auto same = DiffReleases(then, now);
  ASSERT_TRUE(same.ok()) << same.error().ToString();
  EXPECT_TRUE(same->compatibility.verdict == Compatibility::Verdict::kSame ||
              same->compatibility.verdict == Compatibility::Verdict::kAccepted);
}

TEST_F(ReleaseTest, TheShelfOfThePlaneAnswersFromTheStore) {
  const ReleaseContent content = MustBuild();
  const std::string id = content.id();
  const auto shelf = MakeStoreShelf(disk_, paths_, nullptr);
  EXPECT_EQ(shelf->Get(id).error().code, Code::kNotFound);
  for (const auto& [digest, bytes] : content.blobs) ASSERT_TRUE(shelf->PutBlob(digest, bytes).ok());
  const nlohmann::json body = *BundleToJson(content.bundle);
  EXPECT_EQ(shelf->Put(std::string(64, 'a'), body).error().code, Code::kInvalid);
  const auto put = shelf->Put(id, body);
  ASSERT_TRUE(put.ok()) << put.error().ToString();
  EXPECT_EQ((*put)["signed_by"], "local");
  EXPECT_EQ(*shelf->Get(id), *put);
  EXPECT_EQ(shelf->List()->size(), 1u);
  EXPECT_EQ((*shelf->Diff(id, id))["changed"].size(), 0u);
  EXPECT_EQ(*shelf->GetBlob(content.components.at("engine")), "a program");
  EXPECT_TRUE(shelf->InstallInto(Paths(folder_ + "/prod"), id).ok());
  EXPECT_TRUE(LoadRelease(disk_, Paths(folder_ + "/prod"), id).ok());
}

TEST_F(ReleaseTest, ABodyOfTextsOrOfObjectsIsTheSameBundle) {
  const ReleaseBundle bundle = MustBuild().bundle;
  using nlohmann::json;
  const json texts = {{"manifest", bundle.manifest},
                      {"declared", bundle.declared},
                      {"signature", bundle.signature}};
  const json objects = {{"manifest", json::parse(bundle.manifest)},
                        {"declared", json::parse(bundle.declared)},
                        {"signature", json::parse(bundle.signature)}};
  for (const json& body : {texts, objects, *BundleToJson(bundle)}) {
    const auto read = BundleFromJson(body);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->manifest, bundle.manifest);
    EXPECT_EQ(read->declared, bundle.declared);
    EXPECT_EQ(read->signature, bundle.signature);
  }
  EXPECT_EQ(BundleFromJson({{"manifest", 1}}).error().code, Code::kInvalid);
  EXPECT_EQ(BundleFromJson(json::array()).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace telltale::control
