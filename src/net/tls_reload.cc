#include "net/tls_reload.h"

#include "base/clock.h"

namespace telltale::net {
namespace {

// Of the key that tickets are sealed with; 0: there are no tickets.
std::uint64_t GenerationOf(const TlsServerOptions& options) {
  return options.tickets != nullptr ? options.tickets->generation() : 0;
}

}  // namespace

ReloadableTlsContext::Seen ReloadableTlsContext::SeenOf(const TlsPem& pem,
                                                        std::uint64_t generation) {
  return {pem.Digest(), pem.ListDigest(), generation};
}

Result<std::unique_ptr<ReloadableTlsContext>> ReloadableTlsContext::ForServer(
    TlsFiles files, TlsServerOptions options) {
  ASSIGN_OR_RETURN(const TlsPem pem, ReadTlsPem(files));
  // Before the context: one that is made with a newer key is only made once more.
  const std::uint64_t generation = GenerationOf(options);
  ASSIGN_OR_RETURN(TlsContext context, TlsContext::ForServer(pem, files, options));
  return std::unique_ptr<ReloadableTlsContext>(new ReloadableTlsContext(
      std::move(files), std::move(options), SeenOf(pem, generation), std::move(context)));
}

TlsContext ReloadableTlsContext::current() const {
  MutexLock lock(mutex_);
  return context_;
}

Status ReloadableTlsContext::CheckNewList(const TlsContext& context) const {
  if (!context.KeepsListsOf(current())) {
    return Error{Code::kRefused, files_.revocation_list +
                                     " lacks the revocation list of an authority that is still "
                                     "trusted; what it named stays revoked until it is back"};
  }
  const Micros now = options_.clock != nullptr ? options_.clock->NowUtc() : SystemClock().NowUtc();
  if (!context.has_stale_list(now)) return Ok();
  return Error{Code::kRefused, files_.revocation_list +
                                   " is new but has expired, so an older list was put back; get a "
                                   "fresh one from the authority"};
}

Result<bool> ReloadableTlsContext::ReloadIfChanged() {
  MutexLock reload(reload_mutex_);
  ASSIGN_OR_RETURN(const TlsPem pem, ReadTlsPem(files_));
  Seen seen = SeenOf(pem, GenerationOf(options_));
  const bool has_changed = seen.digest != seen_.digest;
  if (!has_changed && seen.ticket_generation == seen_.ticket_generation) return false;
  ASSIGN_OR_RETURN(TlsContext context, TlsContext::ForServer(pem, files_, options_));
  if (seen.list_digest != seen_.list_digest) RETURN_IF_ERROR(CheckNewList(context));
  seen_ = std::move(seen);
  MutexLock lock(mutex_);
  context_ = std::move(context);
  return has_changed;
}

}  // namespace telltale::net
