# Run by each build: writes OUTPUT, which says which commit the sources in SOURCE_DIR are of. It is
# only touched when that changed, so that nothing else is built again.
set(commit "unknown")
if(EXISTS "${SOURCE_DIR}/.git")
  find_program(GIT git)
  if(GIT)
    execute_process(COMMAND "${GIT}" -C "${SOURCE_DIR}" rev-parse --short=12 HEAD
      OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
    if(failed EQUAL 0)
      set(commit "${head}")
      execute_process(
        COMMAND "${GIT}" --no-optional-locks -C "${SOURCE_DIR}" status --porcelain -uno
        OUTPUT_VARIABLE changes ERROR_QUIET)
      if(changes)
        string(APPEND commit "-modified")
      endif()
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT
"#include \"app/version.h\"

namespace telltale::app {
std::string_view BuildCommit() { return \"${commit}\"; }
}  // namespace telltale::app
")
