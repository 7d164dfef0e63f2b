#include "base/reasons.h"

#include <algorithm>
#include <iterator>

namespace telltale {
namespace {

struct Named {
  Reason reason;
  std::string_view name;
};

constexpr Named kNames[] = {
    {Reason::kNone, "none"},
    {Reason::kTlsHandshake, "tls_handshake"},
    {Reason::kIdentity, "identity"},
    {Reason::kProtocol, "protocol"},
    {Reason::kRegistryDown, "registry_down"},
    {Reason::kPacketTooBig, "packet_too_big"},
    {Reason::kTopic, "topic"},
    {Reason::kQos, "qos"},
    {Reason::kKeepAlive, "keep_alive"},
    {Reason::kTakenOver, "taken_over"},
    {Reason::kShed, "shed"},
    {Reason::kSlowReader, "slow_reader"},
    {Reason::kStorage, "storage"},
    {Reason::kRevoked, "revoked"},
    {Reason::kNoTransportKey, "no_transport_key"},
    {Reason::kBatchMalformed, "batch_malformed"},
    {Reason::kReportMalformed, "report_malformed"},
    {Reason::kMissingSeq, "missing_seq"},
    {Reason::kMissingEventTime, "missing_event_time"},
    {Reason::kTooManyReports, "too_many_reports"},
    {Reason::kReportTooBig, "report_too_big"},
    {Reason::kWrongWireType, "wrong_wire_type"},
    {Reason::kOdometerOverflow, "odometer_overflow"},
    {Reason::kPositionInvalid, "position_invalid"},
    {Reason::kEventTimeClamped, "event_time_clamped"},
    {Reason::kFieldUnknown, "field_unknown"},
    {Reason::kOutOfRange, "out_of_range"},
    {Reason::kOutOfOrderNotEvaluated, "out_of_order_not_evaluated"},
    {Reason::kConversionFailed, "conversion_failed"},
    {Reason::kChoicePreciseOff, "choice_precise_off"},
    {Reason::kChoiceCellOff, "choice_cell_off"},
    {Reason::kChoiceBehaviourOff, "choice_behaviour_off"},
    {Reason::kDuplicate, "duplicate"},
    {Reason::kErased, "erased"},
    {Reason::kMirrorBehind, "mirror_behind"},
    {Reason::kSeqConflict, "seq_conflict"},
    {Reason::kPastHorizon, "past_horizon"},
    {Reason::kAlertSuperseded, "alert_superseded"},
    {Reason::kExpiredOnArrival, "expired_on_arrival"},
    {Reason::kSignatureInvalid, "signature_invalid"},
    {Reason::kUnsealFailed, "unseal_failed"},
    {Reason::kWindowZero, "window_zero"},
};

}  // namespace

std::string_view ReasonName(Reason reason) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [reason](const Named& one) { return one.reason == reason; });
  return found == std::end(kNames) ? "unlisted" : found->name;
}

}  // namespace telltale
