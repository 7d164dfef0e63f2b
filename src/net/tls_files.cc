#include "net/tls_files.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/disk.h"

namespace telltale::net {
namespace {

Result<std::string> Read(Disk& disk, const std::string& path) {
  Result<std::string> content = ReadWholeFile(disk, path, kTlsFileBytesMax);
  if (content.ok() || content.error().code != Code::kNotFound) return content;
  return Error{Code::kNotFound, "no file " + path + "; `telltale init` makes it"};
}

void AppendSha256(std::string& out, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  out.append(reinterpret_cast<const char*>(digest), size);
}

}  // namespace

TlsPem::~TlsPem() { OPENSSL_cleanse(key.data(), key.size()); }

std::string TlsPem::Digest() const {
  std::string each;
  for (const std::string* text : {&ca, &certificate, &key, &revocation_list}) {
    AppendSha256(each, *text);
  }
  std::string all;
  AppendSha256(all, each);
  return all;
}

std::string TlsPem::ListDigest() const {
  std::string digest;
  AppendSha256(digest, revocation_list);
  return digest;
}

Result<TlsPem> ReadTlsPem(const TlsFiles& files) {
  PosixDisk disk;
  TlsPem pem;
  ASSIGN_OR_RETURN(pem.ca, Read(disk, files.ca));
  ASSIGN_OR_RETURN(pem.certificate, Read(disk, files.certificate));
  ASSIGN_OR_RETURN(pem.key, Read(disk, files.key));
  if (files.revocation_list.empty()) return pem;
  Result<std::string> list = ReadWholeFile(disk, files.revocation_list, kRevocationListBytesMax);
  if (list.ok()) {
    pem.revocation_list = std::move(list).value();
    if (pem.revocation_list.empty()) {
      return Error{Code::kInvalid, files.revocation_list + " is empty; remove it, or write a list"};
    }
  } else if (list.error().code != Code::kNotFound) {
    return list.error();
  }
  return pem;
}

}  // namespace telltale::net
