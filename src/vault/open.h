// The only code that opens what the door sealed. Linked by telltale-vault and its tests alone
// (library vault_open); a test reads the symbols of the built programs to prove it.
#pragma once

#include <array>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/disk.h"
#include "base/reasons.h"
#include "seal/derive.h"
#include "seal/seal.h"
#include "vault/transport_keys.h"

namespace telltale::vault {

// Keys of the gateways whose envelopes are accepted: <vault>/gateways/<gateway id>.pub.
class GatewayKeys {
 public:
  GatewayKeys(Disk& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  // Reads the folder anew. A file whose name is not the id of its key is left out and reported by
  // the returned error; the others are in force.
  Status Reload();
  // nullptr when that gateway is not registered.
  const std::string* Find(const std::array<std::uint8_t, seal::kGatewayIdBytes>& id) const;
  std::size_t size() const { return keys_.size(); }

 private:
  Disk& disk_;
  std::string folder_;
  std::map<std::array<std::uint8_t, seal::kGatewayIdBytes>, std::string> keys_;
};

// One thread.
class Opener {
 public:
  // With every key that `keys` has by the time an envelope names it; all must outlive this object.
  static std::unique_ptr<Opener> Make(TransportKeys& keys, GatewayKeys& gateways, Clock& clock);
  // With one key without an end: `private_raw` 32 bytes X25519.
  //   kInvalid  not such a key
  static Result<std::unique_ptr<Opener>> Make(std::string_view private_raw, GatewayKeys& gateways,
                                              Clock& clock);
  ~Opener();

  // The plaintext; the caller wipes it.
  //   kRefused      the gateway is unknown or its signature wrong (reason kSignatureInvalid)
  //   kCorrupt      cut, altered, moved, or sealed for another key (reason kUnsealFailed)
  //   kUnsupported  a newer envelope (reason kUnsealFailed)
  Result<std::string> Open(const seal::Binding& binding, ByteSpan envelope);
  Reason reason() const { return reason_; }  // why Open() last failed

 private:
  struct Session;  // one ephemeral key, checked and agreed
  Opener(TransportKeys* keys, GatewayKeys& gateways, Clock& clock);
  Result<Session*> SessionOf(const seal::EnvelopeHead& head);
  Status CheckSignature(const seal::EnvelopeHead& head);
  const TransportKeys::Key* KeyOf(const seal::VaultKeyId& id);
  void ForgetSessions();

  std::unique_ptr<TransportKeys> own_keys_;  // null: the caller's
  TransportKeys& keys_;
  GatewayKeys& gateways_;
  Clock& clock_;
  Micros reloaded_at_;
  seal::VaultKeyId missed_{};  // the vault key that was looked for in vain, and when
  Micros missed_at_;
  std::uint64_t forgotten_ = 0;
  std::list<Session> sessions_;  // newest first; few are alive at a time
  Reason reason_ = Reason::kNone;
};

}  // namespace telltale::vault
