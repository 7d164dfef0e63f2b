// The closed list of reasons for which anything is refused, quarantined, nulled or dropped. Every
// drop is counted under one of these; docs/errors.md has cause and remedy for each.
// The numbers are stored (quarantine records): append, never renumber.
#pragma once

#include <cstdint>
#include <string_view>

namespace telltale {

enum class Reason : std::uint16_t {
  kNone = 0,
  // A connection is refused.
  kTlsHandshake = 1,  // no certificate, another CA, or a broken handshake
  kIdentity = 2,      // the certificate names no VIN
  kProtocol = 3,      // MQTT rules broken
  kRegistryDown = 4,  // an unknown vehicle while the registry is away
  kPacketTooBig = 5,
  kTopic = 6,  // publish to a topic that is not telltale/v1/reports
  kQos = 7,    // QoS 2
  // A connection is ended.
  kKeepAlive = 8,        // silent for 1.5 x its keep-alive
  kTakenOver = 9,        // the same client of the same vehicle came again
  kShed = 10,            // over the limit of arrivals or descriptors
  kSlowReader = 11,      // does not take its answers
  kStorage = 12,         // the log cannot be written; nothing was acknowledged
  kRevoked = 13,         // the certificate is in the revocation list
  kNoTransportKey = 14,  // nothing can be sealed for the vault; nothing was acknowledged
  // A batch or report goes to quarantine.
  kBatchMalformed = 20,   // not a ReportBatch
  kReportMalformed = 21,  // one Report's bytes cannot be read
  kMissingSeq = 22,
  kMissingEventTime = 23,
  kTooManyReports = 24,  // over the named limit per batch
  kReportTooBig = 25,
  kWrongWireType = 26,  // a known field with another wire type
  // A value is nulled or an event left out.
  kOdometerOverflow = 40,
  kPositionInvalid = 41,   // no cell can be derived
  kEventTimeClamped = 42,  // event time beyond receipt + 5 min
  kFieldUnknown = 43,      // sealed, not open
  kOutOfRange = 44,        // nulled in the lake
  kOutOfOrderNotEvaluated = 45,
  kConversionFailed = 46,  // a value that its column cannot hold exactly; nulled in the lake
  // Left out at the door by the choice of the vehicle.
  kChoicePreciseOff = 47,
  kChoiceCellOff = 48,
  kChoiceBehaviourOff = 49,
  // A repeat is dropped downstream.
  kDuplicate = 60,
  kSeqConflict = 61,      // same identity, other content
  kPastHorizon = 62,      // older than the 45 days of identity kept; kept and marked
  kAlertSuperseded = 63,  // a lower version never overwrites a higher
  // The vault.
  kExpiredOnArrival = 80,
  kSignatureInvalid = 81,
  kUnsealFailed = 82,
  kWindowZero = 83,  // its retention class has a window of zero: nothing is stored
  // Any store.
  kErased = 90,  // the vehicle is in the erasure list
  // The mirror.
  kMirrorBehind = 120,  // too old to be sent to the other environment
};

// snake_case, as counters and messages show it: "batch_malformed".
std::string_view ReasonName(Reason reason);

}  // namespace telltale
