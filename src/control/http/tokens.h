// Who a bearer token is: data/control/tokens.json (docs/formats/control-tokens.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/disk.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/result.h"

namespace telltale::control {

inline constexpr std::size_t kTokensMax = 1000;
inline constexpr std::size_t kTokenNameBytesMax = 63;

struct TokenEntry {
  std::string name;    // as keys are: [a-z0-9][a-z0-9-]{0,62}
  std::string sha256;  // of the token, hex
  Micros created_at = {};
};

bool IsTokenName(std::string_view name);
std::string TokensPath(const Paths& paths);
// Hex SHA-256 of a token, as it is stored.
std::string TokenDigest(std::string_view token);

// None when there is no file.
//   kCorrupt  not such a file; kUnsupported  a newer one
Result<std::vector<TokenEntry>> ReadTokens(Disk& disk, const std::string& path);

// Both replace the file as a whole. One writer at a time: the caller holds a lock.
// Gives the token, 43 letters, digits, - and _ (256 random bits), which is stored nowhere.
//   kInvalid  the name; kExists  it is taken; kTooBig  kTokensMax
Result<std::string> NewToken(Disk& disk, Random& random, const std::string& path,
                             const std::string& name, Micros now);
//   kNotFound  no such name
Status RevokeToken(Disk& disk, const std::string& path, const std::string& name);

// What the door compares with. Any thread.
class TokenBook {
 public:
  // One more, for who is on this machine; "" = none.
  void SetLocal(const std::string& token, const std::string& subject);
  void Set(std::vector<TokenEntry> entries);
  // "token:<name>", the local subject, or "" for nobody. Looks at every entry whatever it finds.
  std::string SubjectOf(std::string_view token) const;

 private:
  mutable Mutex mutex_;
  std::vector<TokenEntry> entries_ GUARDED_BY(mutex_);
  std::string local_digest_ GUARDED_BY(mutex_);
  std::string local_subject_ GUARDED_BY(mutex_);
};

}  // namespace telltale::control
