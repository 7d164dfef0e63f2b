// A server's TLS context that follows its files, and the keys of its tickets, without a restart.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "net/tls_context.h"

namespace telltale::net {

// Any thread. Connections keep the context that they were accepted with.
class ReloadableTlsContext {
 public:
  //   as TlsContext::ForServer
  static Result<std::unique_ptr<ReloadableTlsContext>> ForServer(TlsFiles files,
                                                                 TlsServerOptions options);

  TlsContext current() const;

  // Reads the files; true: their content has changed and is in force for the next connections.
  // Then ask current().IsRevoked() about those that are open. After an error the former context
  // stays, and the next call looks again: so it is also while a file is half written, and between
  // the replacing of a certificate and that of its key.
  //   as TlsContext::ForServer
  //   kRefused   the file lost the revocation list of an authority that is still in the bundle, or
  //              is gone: nobody is let in again that way. Or a list in it is new and has expired
  //              already; one that expires while it is in force stays (has_stale_list)
  Result<bool> ReloadIfChanged();

 private:
  // Of what is in force.
  struct Seen {
    std::string digest;
    std::string list_digest;
    std::uint64_t ticket_generation;
  };
  static Seen SeenOf(const TlsPem& pem, std::uint64_t generation);
  ReloadableTlsContext(TlsFiles files, TlsServerOptions options, Seen seen, TlsContext context)
      : files_(std::move(files)),
        options_(std::move(options)),
        seen_(std::move(seen)),
        context_(std::move(context)) {}
  Status CheckNewList(const TlsContext& context) const;

  const TlsFiles files_;
  const TlsServerOptions options_;
  Mutex reload_mutex_;  // before mutex_
  Seen seen_ GUARDED_BY(reload_mutex_);
  mutable Mutex mutex_;
  TlsContext context_ GUARDED_BY(mutex_);
};

}  // namespace telltale::net
