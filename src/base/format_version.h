// The version of every format Telltale writes, in one place: `telltale --version` prints this list,
// docs/versions.md explains it, and a reader that meets a newer one refuses it in the same words.
// Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace telltale {

enum class Format {
  kDurableMap,
  kSegment,
  kBatch,
  kLedger,
  kPosition,
  kSnapshot,
  kHandoff,
  kLakeState,
  kEnvelope,
  kVaultSegment,
  kVaultDb,
  kVaultState,
  kHourKey,
  kAuditLog,
  kRegistryDb,
  kAlertsDb,
  kReleaseManifest,
  kRules,
  kKafkaMessage,
  kPresenceLedger,
  kTransportBundle,
  kTransportKey,
  kKeyTree,
  kAccessDb,
  kKeptAnswer,
  kReleaseDeclared,
  kReleaseSignature,
  kControlTokens,
  kControlDb,
  kShadowReport,
  kShadowRun,
  kGateEvidence,
  kGateSettings,
  kGateReport,
};

struct FormatVersion {
  Format format;
  std::string_view name;     // as in docs/versions.md
  std::uint32_t written;     // what this build writes
  std::uint32_t min_reader;  // the oldest reader that understands what is written
  std::uint32_t reads;       // the newest that this build understands; >= written
};

// In the order of the enum.
inline constexpr std::array kFormats = {
    FormatVersion{Format::kDurableMap, "durable.map", 1, 1, 1},
    FormatVersion{Format::kSegment, "segment", 1, 1, 1},
    FormatVersion{Format::kBatch, "batch", 1, 1, 1},
    FormatVersion{Format::kLedger, "ledger", 1, 1, 1},
    FormatVersion{Format::kPosition, "position", 1, 1, 1},
    FormatVersion{Format::kSnapshot, "worker snapshot", 2, 2, 2},
    FormatVersion{Format::kHandoff, "hand-off", 1, 1, 1},
    FormatVersion{Format::kLakeState, "lake state", 1, 1, 1},
    FormatVersion{Format::kEnvelope, "sealed envelope", 1, 1, 1},
    FormatVersion{Format::kVaultSegment, "vault segment", 2, 2, 2},
    FormatVersion{Format::kVaultDb, "vault.db", 1, 1, 1},
    FormatVersion{Format::kVaultState, "vault state", 1, 1, 1},
    FormatVersion{Format::kHourKey, "vault hour key", 1, 1, 1},
    FormatVersion{Format::kAuditLog, "audit log", 1, 1, 1},
    FormatVersion{Format::kRegistryDb, "registry.db", 2, 2, 2},
    FormatVersion{Format::kAlertsDb, "alerts.db", 2, 2, 2},
    FormatVersion{Format::kReleaseManifest, "release manifest", 1, 1, 1},
    FormatVersion{Format::kRules, "rules file", 1, 1, 1},
    FormatVersion{Format::kKafkaMessage, "kafka message", 1, 1, 1},
    FormatVersion{Format::kPresenceLedger, "presence ledger", 1, 1, 1},
    FormatVersion{Format::kTransportBundle, "transport bundle", 1, 1, 1},
    FormatVersion{Format::kTransportKey, "transport key", 1, 1, 1},
    FormatVersion{Format::kKeyTree, "vault key tree", 2, 2, 2},
    FormatVersion{Format::kAccessDb, "access.db", 1, 1, 1},
    FormatVersion{Format::kKeptAnswer, "kept answer", 1, 1, 1},
    FormatVersion{Format::kReleaseDeclared, "release declaration", 1, 1, 1},
    FormatVersion{Format::kReleaseSignature, "release signature", 1, 1, 1},
    FormatVersion{Format::kControlTokens, "control tokens", 1, 1, 1},
    FormatVersion{Format::kControlDb, "control.db", 1, 1, 1},
    FormatVersion{Format::kShadowReport, "shadow report", 1, 1, 1},
    FormatVersion{Format::kShadowRun, "shadow run", 1, 1, 1},
    FormatVersion{Format::kGateEvidence, "gate evidence", 1, 1, 1},
    FormatVersion{Format::kGateSettings, "gate settings", 1, 1, 1},
    FormatVersion{Format::kGateReport, "gate report", 1, 1, 1},
};

constexpr const FormatVersion& VersionOf(Format format) {
  return kFormats[static_cast<std::size_t>(format)];
}

// Whether this build may read bytes whose head says `version` and `min_reader`. `what` names them
// in the refusal: a path, or "this vault segment".
//   kUnsupported  they need a newer reader; the message says which
Status CheckReadable(Format format, std::string_view what, std::uint64_t version,
                     std::uint64_t min_reader);

}  // namespace telltale
