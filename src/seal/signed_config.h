// A config record that must be control's. Needs the generated messages (contract_proto).
#pragma once

#include <string_view>

#include "contract/config_wire.h"
#include "seal/seal.h"

namespace telltale::seal {

// `control_public`: 32 raw bytes of keys/control.pub.
//   kInvalid  not a SignedConfig, or what is signed is no ConfigRecord
//   kRefused  signed by another key, or a byte was changed
inline Result<internal::v1::ConfigRecord> VerifyConfigRecord(std::string_view signed_config,
                                                             std::string_view control_public) {
  ASSIGN_OR_RETURN(const internal::v1::SignedConfig envelope,
                   contract::ParseConfigEnvelope(signed_config));
  if (envelope.key_id() != KeyId(control_public)) {
    return Error{Code::kRefused,
                 "the config record names another signing key than keys/control.pub"};
  }
  if (!VerifyEd25519(control_public, envelope.record(), envelope.signature())) {
    return Error{Code::kRefused, "the config record's signature is not control's"};
  }
  return contract::ParseConfigRecord(envelope);
}

}  // namespace telltale::seal
