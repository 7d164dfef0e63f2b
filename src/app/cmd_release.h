// Parts of `telltale release`; cmd_release.cc puts them together. Main thread.
#pragma once

#include <string>

#include "app/control_client.h"
#include "base/config.h"
#include "base/disk.h"
#include "control/release_store.h"

namespace CLI {
class App;
}

namespace telltale::app {

void AddReleaseList(CLI::App& release, int& exit_code);
void AddReleaseShow(CLI::App& release, int& exit_code);
void AddReleaseDiff(CLI::App& release, int& exit_code);
void AddReleaseKey(CLI::App& release, int& exit_code);

// What safety/ says of rules: this program links both.
control::RulesCheck RulesCheckOfSafety();

// PUT of the blobs that control lacks, then of the release. Errors of AskControl.
Status PushToControl(const ControlFlags& flags, const control::ReleaseContent& content);

// The store of the installation in `dir`.
control::ReleaseStore StoreOf(Disk& disk, const std::string& dir);

// A folder with sources, built with this program's shipped parts; `engine` "" = the shipped one.
// Errors of BuildRelease.
Result<control::ReleaseContent> BuildFrom(Disk& disk, const std::string& folder,
                                          const std::string& engine);
// A path to a built folder or to sources; else words for `store` (null: there is none), where
// `stable` is the release in force in `dir`.
Result<control::ReleaseContent> ContentOf(Disk& disk, const std::string& words,
                                          const std::string& dir);

// What root wrote below data/control belongs to whom that folder does, so that the role `control`
// can write there too.
Status GiveControlFiles(const Paths& paths);

}  // namespace telltale::app
