#include "app/subject_receipt.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace telltale::app {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

std::string WhatOf(const JobLine& line) {
  std::string text;
  const auto add = [&text](const std::string& part) {
    if (!text.empty()) text += "; ";
    text += part;
  };
  for (const auto& [name, count] : line.counts) add(fmt::format("{} {}", count, name));
  if (!line.closed() && line.due_by != Micros{}) add("gone by " + TimeText(line.due_by));
  if (!line.note.empty()) add(line.note);
  if (!line.last_error.empty()) add("tried and failed: " + line.last_error);
  return text;
}

}  // namespace

std::string TimeText(Micros time) {
  if (time == Micros{}) return "-";
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                     fmt::gmtime(static_cast<std::time_t>(time.value / kSecondUs)));
}

std::string ReceiptText(const ErasureJob& job) {
  std::string text = fmt::format("erasure {}  {}\nasked   {} by {}\nbasis   {}\n", job.id,
                                 job.closed() ? "closed " + TimeText(job.closed_at) : "open",
                                 TimeText(job.asked_at), job.asked_by, job.basis);
  for (const JobLine& line : job.lines) {
    const std::string what = WhatOf(line);
    text += fmt::format("  {:<17} {:<14}{}{}\n", line.store, LineStateName(line.state),
                        what.empty() ? "" : " ", what);
  }
  return text;
}

nlohmann::json ReceiptJson(const ErasureJob& job) {
  nlohmann::json receipt = nlohmann::json::parse(EncodeJob(job));
  for (const char* inside : {"magic", "version", "min_reader", "vehicle_ref"}) {
    receipt.erase(inside);
  }
  receipt["state"] = job.closed() ? "closed" : "open";
  return receipt;
}

}  // namespace telltale::app
