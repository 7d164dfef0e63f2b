#include "net/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace telltale::net {

PemBio OpenPem(std::string_view pem) {
  ERR_clear_error();
  return PemBio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

bool AtEndOfPem() {
  const unsigned long error = ERR_peek_last_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return false;
  }
  ERR_clear_error();
  return true;
}

}  // namespace telltale::net
