#include "net/http_token.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/disk.h"

namespace telltale::net {
namespace {

constexpr mode_t kForbidden = S_IWGRP | S_IRWXO;

bool IsPrintable(char c) { return c > ' ' && c < '\x7f'; }

bool EqualsFolded(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace

Result<std::string> LoadHttpToken(const std::string& path) {
  if (path.empty()) return std::string();
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    return Error{Code::kNotFound,
                 "no token file " + path + "; make one: (umask 077; openssl rand -hex 32 > FILE)"};
  }
  if ((info.st_mode & kForbidden) != 0) {
    return Error{Code::kInvalid, "the token file " + path +
                                     " is open to others: chmod 0600 (or 0640) makes it private"};
  }
  PosixDisk disk;
  auto text = ReadWholeFile(disk, path, kHttpTokenCharactersMax + 2);
  if (!text.ok()) {
    if (text.error().code != Code::kTooBig) return text.error();
    return Error{Code::kInvalid, "the token file " + path + " is longer than " +
                                     std::to_string(kHttpTokenCharactersMax) + " characters"};
  }
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->size() < kHttpTokenCharactersMin ||
      !std::all_of(text->begin(), text->end(), IsPrintable)) {
    return Error{Code::kInvalid, "the token file " + path + " must hold one word of at least " +
                                     std::to_string(kHttpTokenCharactersMin) +
                                     " printable characters"};
  }
  return text;
}

std::string_view BearerOf(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() < kScheme.size() || !EqualsFolded(header.substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  return header.substr(kScheme.size());
}

bool IsSameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool IsBearerOf(std::string_view header, std::string_view token) {
  return IsSameSecret(BearerOf(header), token);
}

}  // namespace telltale::net
