# Writes OUTPUT: the page's files out of FOLDER, and ERRORS (docs/errors.md), as constants of
# control/page/page.h. The same files give the same bytes.
set(html "text/html; charset=utf-8")
set(script "text/javascript; charset=utf-8")
set(arrays "")
set(rows "")
set(number 0)

function(embed path type file)
  file(READ "${file}" hex HEX)
  file(SHA256 "${file}" digest)
  string(SUBSTRING "${digest}" 0 32 etag)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  # Lines of eight bytes: compilers and people dislike one of a hundred thousand columns.
  string(REPEAT "'.x..'," 8 eight)
  string(REGEX REPLACE "(${eight})" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "constexpr char kBytes${number}[] = {\n${bytes}'\\0'};\n")
  string(APPEND rows "    {\"${path}\", \"${type}\",\n     "
    "std::string_view(kBytes${number}, sizeof(kBytes${number}) - 1), \"\\\"${etag}\\\"\"},\n")
  math(EXPR number "${number} + 1")
  set(arrays "${arrays}" PARENT_SCOPE)
  set(rows "${rows}" PARENT_SCOPE)
  set(number "${number}" PARENT_SCOPE)
endfunction()

# Sorted by path.
embed("/" "${html}" "${FOLDER}/index.html")
embed("/page/api.js" "${script}" "${FOLDER}/api.js")
embed("/page/diff.js" "${script}" "${FOLDER}/diff.js")
embed("/page/dom.js" "${script}" "${FOLDER}/dom.js")
embed("/page/errors.md" "text/markdown; charset=utf-8" "${ERRORS}")
embed("/page/format.js" "${script}" "${FOLDER}/format.js")
embed("/page/gate.js" "${script}" "${FOLDER}/gate.js")
embed("/page/icon.svg" "image/svg+xml" "${FOLDER}/icon.svg")
embed("/page/page.css" "text/css; charset=utf-8" "${FOLDER}/page.css")
embed("/page/page.js" "${script}" "${FOLDER}/page.js")
embed("/page/panels.js" "${script}" "${FOLDER}/panels.js")
embed("/page/reasons.js" "${script}" "${FOLDER}/reasons.js")
embed("/page/rollout.js" "${script}" "${FOLDER}/rollout.js")

file(WRITE "${OUTPUT}" "#include \"control/page/page.h\"

namespace telltale::control {
namespace {

${arrays}
constexpr PageFile kFiles[] = {
${rows}};

}  // namespace

std::span<const PageFile> PageFiles() { return kFiles; }

}  // namespace telltale::control
")
