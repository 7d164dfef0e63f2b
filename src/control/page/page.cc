#include "control/page/page.h"

#include <algorithm>

namespace telltale::control {
namespace {

constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
     "require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},
};

}  // namespace

const PageFile* FindPageFile(std::string_view path) {
  const auto files = PageFiles();
  const auto found = std::lower_bound(
      files.begin(), files.end(), path,
      [](const PageFile& file, std::string_view wanted) { return file.path < wanted; });
  return found == files.end() || found->path != path ? nullptr : &*found;
}

std::span<const std::pair<std::string_view, std::string_view>> PageHeaders() { return kHeaders; }

}  // namespace telltale::control
