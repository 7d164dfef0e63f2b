// How a process learns that it should end: SIGTERM and SIGINT, seen by every thread that asks.
#pragma once

#include <chrono>

namespace telltale {

// Call first thing in main(), before any thread starts: blocks the signals in all threads and
// watches them in one. Ignores SIGPIPE.
void WatchForStop();
bool StopRequested();
// As if the signal had come.
void RequestStop();
// True when asked to stop before `timeout` passed.
bool WaitForStop(std::chrono::milliseconds timeout);
// Becomes readable when asked to stop and stays so; for event loops.
int StopFd();

}  // namespace telltale
