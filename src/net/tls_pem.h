// PEM text in memory, for this folder's .cc files.
#pragma once

#include <openssl/bio.h>

#include <memory>
#include <string_view>

#include "base/free_with.h"

namespace telltale::net {

using PemBio = std::unique_ptr<BIO, FreeWith<BIO_free>>;

// Reads from `pem`, which must outlive it, with an empty error queue. Null: no memory.
PemBio OpenPem(std::string_view pem);
// After a PEM_read_... that gave nothing: there was nothing more, rather than something broken.
// Takes the error off the queue in that case.
bool AtEndOfPem();

}  // namespace telltale::net
