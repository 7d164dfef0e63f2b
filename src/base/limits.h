// Every limit that more than one module must agree on, by name. A limit of one module alone lives
// in that module's header.
#pragma once

#include <cstdint>

namespace telltale {

inline constexpr std::uint16_t kPartitionsDefault = 64;  // fixed at creation (design, "The log")
inline constexpr std::uint16_t kShardsDefault = 2;
inline constexpr std::uint32_t kMqttPacketBytesMax = 1u << 20;
inline constexpr std::uint32_t kReportsPerBatchMax = 2000;
inline constexpr std::uint32_t kReportBytesMax = 64u << 10;
inline constexpr std::int64_t kEventAheadMaxUs = 5 * 60 * 1'000'000ll;  // event <= receipt + 5 min
inline constexpr std::int64_t kLatenessUs = 300 * 1'000'000ll;
inline constexpr std::int64_t kIdentityHorizonUs = 45 * 86'400 * 1'000'000ll;
inline constexpr std::uint32_t kContentHashesPerBoot = 256;
inline constexpr std::uint32_t kVaultWindowDaysMax = 62;  // no window longer than this

}  // namespace telltale
