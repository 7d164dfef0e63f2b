// Schemas as text, for tests: .proto files in a simulated disk, read by the front end.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sim_disk.h"
#include "contract/check/intervals.h"
#include "contract/check/source.h"

namespace telltale::contract::check::testing {

using Texts = std::map<std::string, std::string>;  // file name -> text

inline std::unique_ptr<Source> Parse(const Texts& texts) {
  SimDisk disk;
  for (const auto& [name, text] : texts) {
    const std::string path = "/c/" + name;
    CHECK(disk.MakeFolders(ParentFolder(path)).ok());
    CHECK(WriteFileDurably(disk, path, text).ok());
  }
  auto source = Source::Read(disk, "/c");
  CHECK(source.ok());
  for (const Problem& problem : (*source)->problems()) ADD_FAILURE() << problem.ToString();
  CHECK((*source)->problems().empty());
  return std::move(*source);
}

// The candidate against `history`, the oldest first; versions are named "1", "2", ...
inline Comparison CompareTexts(const std::vector<Texts>& history, const Texts& candidate,
                               const Approvals& approvals = {}) {
  std::vector<Version> versions;
  for (const Texts& texts : history) {
    versions.push_back(Parse(texts)->AsVersion(std::to_string(versions.size() + 1)));
  }
  const auto now = Parse(candidate);
  auto compared = Compare(now->candidate(), versions, approvals);
  if (!compared.ok()) ADD_FAILURE() << compared.error().message;
  CHECK(compared.ok());
  return *compared;
}

inline std::string Told(const Comparison& comparison) {
  std::string all;
  for (const Finding& one : comparison.findings) {
    all += std::string(VerdictName(one.verdict())) + " " + std::string(TextOf(one.rule).id) + " " +
           one.full_name + " " + one.place.ToString() + " [" + one.version + "] " + one.effect +
           " -> " + one.advice + "\n";
  }
  return all;
}

// "field-removed p.M.a", each on a line; notes and warnings too.
inline std::string Ids(const Comparison& comparison) {
  std::string all;
  for (const Finding& one : comparison.findings) {
    if (!all.empty()) all += "\n";
    all += std::string(TextOf(one.rule).id) + " " + one.full_name;
  }
  return all;
}

}  // namespace telltale::contract::check::testing
