// The feed's line of one change (docs/formats/feed.md), and the words in it.
#pragma once

#include <string>
#include <string_view>

#include "internal/v1/internal.pb.h"
#include "publish/authority.h"

namespace telltale::publish {

std::string_view SeverityWord(internal::v1::Severity severity);
std::string_view StateWord(internal::v1::EpisodeState state);
std::string CellToken(std::uint64_t cell);  // 16 hex digits

// One line, without a line break. A cell finer than level 12 must have been taken out before.
std::string AlertJson(const internal::v1::JournalEntry::Output& output, const Authority& authority,
                      Micros publish_time);

}  // namespace telltale::publish
