#include "control/page/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "base/disk.h"

namespace telltale::control {
namespace {

const std::string kFolder = TELLTALE_SOURCE_DIR "/src/control/page/";

std::string FileOf(const PageFile& file) {
  if (file.path == "/") return kFolder + "index.html";
  const std::string name(file.path.substr(std::string_view("/page/").size()));
  return name == "errors.md" ? TELLTALE_SOURCE_DIR "/docs/errors.md" : kFolder + name;
}

TEST(PageTest, EveryFileOfThePageIsInTheBinaryByteByByte) {
  PosixDisk disk;
  std::set<std::string> embedded;
  for (const PageFile& file : PageFiles()) {
    const auto text = ReadWholeFile(disk, FileOf(file));
    ASSERT_TRUE(text.ok()) << file.path;
    EXPECT_TRUE(file.bytes == *text) << file.path << " differs from its source";
    EXPECT_FALSE(file.content_type.empty());
    embedded.insert(FileOf(file));
  }
  const std::set<std::string> kinds = {".html", ".css", ".js", ".svg"};
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (!kinds.contains(entry.path().extension().string())) continue;
    EXPECT_TRUE(embedded.contains(entry.path().string())) << entry.path() << " is left out";
  }
}

TEST(PageTest, AFileIsFoundByItsPathAlone) {
  const auto files = PageFiles();
  EXPECT_TRUE(std::is_sorted(files.begin(), files.end(),
                             [](const auto& a, const auto& b) { return a.path < b.path; }));
  for (const PageFile& file : files) EXPECT_EQ(FindPageFile(file.path), &file);
  for (const char* path : {"", "/page", "/page/", "/page/page", "/page/../page.js", "/zzz"}) {
    EXPECT_EQ(FindPageFile(path), nullptr) << path;
  }
}

TEST(PageTest, TagsAreQuotedAndOfOneFileEach) {
  std::set<std::string_view> tags;
  for (const PageFile& file : PageFiles()) {
    EXPECT_TRUE(tags.insert(file.etag).second) << file.path;
    EXPECT_TRUE(file.etag.size() == 34 && file.etag.front() == '"' && file.etag.back() == '"');
  }
}

// What is not ours would be asked of somebody, or not be there on a machine without a network.
TEST(PageTest, NothingIsLoadedFromElsewhereAndNoScriptStandsInTheMarkup) {
  for (const PageFile& file : PageFiles()) {
    if (file.path == "/page/errors.md") continue;
    std::string text(file.bytes);
    const std::string name_space = "http://www.w3.org/2000/svg";
    for (auto at = text.find(name_space); at != std::string::npos; at = text.find(name_space)) {
      text.erase(at, name_space.size());
    }
    for (const char* word : {"http:", "https:", "url(", "innerHTML", "eval(", "style=\"", "onclick",
                             "@import", "document.write"}) {
      EXPECT_EQ(text.find(word), std::string::npos) << file.path << " has " << word;
    }
  }
}

}  // namespace
}  // namespace telltale::control
