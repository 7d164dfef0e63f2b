// What a release's worker leaves below DIR, for who keeps the workers.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "base/disk.h"

namespace telltale::app {

struct WantedWorker;

// Bytes of its journal's files; 0 when there is none.
std::uint64_t JournalBytes(const Paths& paths, const std::string& release);

// Names ("worker-<8 digits>") of workers that left a place or a snapshot and are not wanted.
std::vector<std::string> StrayWorkers(Disk& disk, const Paths& paths,
                                      const std::vector<WantedWorker>& wanted);
// Its places in the streams, which hold retention back, and its snapshots, which hold vehicles that
// may have to be erased. False when there was nothing.
bool RemoveWorkerTraces(Disk& disk, const Paths& paths, const std::string& name);

// Releases that are not wanted and whose journal nobody wrote to since `before` (wall clock).
std::vector<std::string> OldJournals(const Paths& paths, const std::vector<WantedWorker>& wanted,
                                     Micros before);
void RemoveJournal(const Paths& paths, const std::string& release);

}  // namespace telltale::app
