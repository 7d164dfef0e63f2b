# What `make install` and `make package` put where (src/app/layout.h has the same places):
#
#   bin/telltale                     found on the path
#   libexec/telltale/                the programs that `telltale serve` starts
#   lib/telltale/                    Arrow, as links into the Python environment beside them
#   lib/telltale/python/             Python environment: the pinned wheels, Debian's python3.11
#   lib/telltale/site/               the package telltale_lake
#   share/telltale/                  contract, default release, features
#   share/doc/telltale/, share/man/  licences, third-party notices, documentation
#
# Included before the folders of src/, for the flags below hold for all of them; the rules follow
# when every target is there.

# No path of the machine that built it is in a released program (CHECK names its file), so that
# the same sources give the same bytes in every folder. And g++ 12 at -O2 sees uninitialized
# strings in a Result<std::string> whose other half is there: no error of the code, and a page of
# warnings that nobody reads. The dev build (-O1) keeps the warning.
add_compile_options(
  "$<$<CONFIG:Release>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>"
  "$<$<CONFIG:Release>:-ffile-prefix-map=${CMAKE_BINARY_DIR}/=build/>"
  "$<$<CONFIG:Release>:-Wno-maybe-uninitialized>")

if(TELLTALE_NET AND TELLTALE_LAKE)
  cmake_language(DEFER CALL include InstallRules)
endif()
