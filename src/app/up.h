// `telltale up`: the environments of a trial on one machine, each a `telltale serve` of its own,
// with what feeds them, in the foreground.
#pragma once

#include <string>

#include "app/layout.h"
#include "app/up_file.h"
#include "base/result.h"

namespace telltale::app {

struct UpOptions {
  Trial trial;
  std::string data;  // folder of all of it: <data>/<environment>, up.json, logs/, sim/, objects/
  Layout layout;
};

// Makes the folders that are not there, starts everything and looks after it until asked to stop
// (base/stop.h); then everything ends. <data>/up.json says what runs where, from when all is ready.
//   kExists       it runs already
//   kUnavailable  an environment does not get ready in time (its log is named)
//   errors of Init
Status Up(const UpOptions& options);

// Asks the one that runs in `data` to stop and waits until it has.
//   kNotFound     none runs
//   kUnavailable  it does not end
Status Down(const std::string& data);

}  // namespace telltale::app
