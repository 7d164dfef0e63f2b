// control/page/ - the page to look at: plain HTML, CSS and modules, inside the binary.
//   in      the files of this folder and docs/errors.md, put in by the build (embed.cmake)
//   out     what an HTTP handler serves as it is; docs/control-page.md
//   owns    nothing; the page itself only reads the API, with its reader's token
//   thread  any: constants
//   not here: HTTP and tokens (control/http/), what the API answers (control/, app/)
#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace telltale::control {

struct PageFile {
  std::string_view path;          // "/" is the page itself
  std::string_view content_type;  // of the header Content-Type
  std::string_view bytes;
  std::string_view etag;  // with its quotes; another one whenever the bytes are others
};

// All of them, sorted by path. Anybody may have them: there is nothing in them but the page.
std::span<const PageFile> PageFiles();
// nullptr when there is none at `path`.
const PageFile* FindPageFile(std::string_view path);

// Header fields that must go with each of them: the page may load and ask nothing but this server,
// runs no script that is not one of these files, and stands in no frame.
std::span<const std::pair<std::string_view, std::string_view>> PageHeaders();

}  // namespace telltale::control
