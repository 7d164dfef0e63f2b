// The receipt of an erasure, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "app/subject_job.h"

namespace telltale::app {

// "2026-01-31T12:00:00Z"; "-" for no time.
std::string TimeText(Micros time);

std::string ReceiptText(const ErasureJob& job);
// Keys as in docs/formats/erasure-job.md, without the reference; `state` open or closed.
nlohmann::json ReceiptJson(const ErasureJob& job);

}  // namespace telltale::app
