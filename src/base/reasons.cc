#include "base/reasons.h"

namespace telltale {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kTlsHandshake:
      return "tls_handshake";
    case Reason::kIdentity:
      return "identity";
    case Reason::kProtocol:
      return "protocol";
    case Reason::kRegistryDown:
      return "registry_down";
    case Reason::kPacketTooBig:
      return "packet_too_big";
    case Reason::kTopic:
      return "topic";
    case Reason::kQos:
      return "qos";
    case Reason::kBatchMalformed:
      return "batch_malformed";
    case Reason::kReportMalformed:
      return "report_malformed";
    case Reason::kMissingSeq:
      return "missing_seq";
    case Reason::kMissingEventTime:
      return "missing_event_time";
    case Reason::kTooManyReports:
      return "too_many_reports";
    case Reason::kReportTooBig:
      return "report_too_big";
    case Reason::kWrongWireType:
      return "wrong_wire_type";
    case Reason::kOdometerOverflow:
      return "odometer_overflow";
    case Reason::kPositionInvalid:
      return "position_invalid";
    case Reason::kEventTimeClamped:
      return "event_time_clamped";
    case Reason::kFieldUnknown:
      return "field_unknown";
    case Reason::kOutOfRange:
      return "out_of_range";
    case Reason::kOutOfOrderNotEvaluated:
      return "out_of_order_not_evaluated";
    case Reason::kDuplicate:
      return "duplicate";
    case Reason::kSeqConflict:
      return "seq_conflict";
    case Reason::kPastHorizon:
      return "past_horizon";
    case Reason::kAlertSuperseded:
      return "alert_superseded";
    case Reason::kExpiredOnArrival:
      return "expired_on_arrival";
    case Reason::kSignatureInvalid:
      return "signature_invalid";
    case Reason::kUnsealFailed:
      return "unseal_failed";
  }
  return "unlisted";
}

}  // namespace telltale
