# One function per kind of target; every folder's CMakeLists.txt is a few lines.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(GTest REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
include(GoogleTest)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

# The build tree is laid out like an installation: `serve` finds its helpers from its own
# real path in ../libexec/telltale (docs: design, settled details).
set(TELLTALE_BIN_DIR "${CMAKE_BINARY_DIR}/bin")
set(TELLTALE_LIBEXEC_DIR "${CMAKE_BINARY_DIR}/libexec/telltale")
set(TELLTALE_TEST_DIR "${CMAKE_BINARY_DIR}/test")
set(TELLTALE_FUZZ_DIR "${CMAKE_BINARY_DIR}/fuzz")

add_library(telltale_flags INTERFACE)
target_compile_options(telltale_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Werror -fno-omit-frame-pointer
  # A `using` of the file before is no shadow: looked for where files are compiled alone.
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow>)
target_include_directories(telltale_flags INTERFACE "${CMAKE_CURRENT_LIST_DIR}/../src")
if(TELLTALE_SANITIZE)
  target_compile_options(telltale_flags INTERFACE -fsanitize=${TELLTALE_SANITIZE}
    -fno-sanitize-recover=all)
  target_link_options(telltale_flags INTERFACE -fsanitize=${TELLTALE_SANITIZE})
  if(TELLTALE_FUZZERS)
    # Coverage for the fuzzers has to be in the code they reach, not only in their main file.
    target_compile_options(telltale_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
endif()

# Headers that every file of these folders reads (JSON, protobuf, GoogleTest) cost more than the
# files themselves: eight files in one compilation take a third of the time. Names in the anonymous
# namespaces of one folder differ, so that any eight go together. -DTELLTALE_UNITY=OFF compiles file
# by file, for an edit loop and for clang-tidy.
option(TELLTALE_UNITY "Compile the larger folders eight files at a time" ON)
set(TELLTALE_UNITY_MODULES app control drives gate gateway lake_core publish vault vault_access)

# A type of an anonymous namespace is still this compilation's own; g++ sees only that its file is
# an included one.
function(telltale_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()

# telltale_module(NAME DEPS...): src/NAME/*.cc as one static library, *_test.cc beside it as one
# test program, *_fuzz.cc as one fuzzer each. DEPS are other modules or libraries.
function(telltale_module name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(fuzzers ${sources})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|main)\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC telltale_flags Threads::Threads ${ARGN})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE telltale_flags Threads::Threads ${ARGN})
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} GTest::gtest GTest::gtest_main)
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${TELLTALE_TEST_DIR}")
    target_compile_definitions(${name}_test PRIVATE
      TELLTALE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TELLTALE_BUILD_DIR="${CMAKE_BINARY_DIR}")
    if(TELLTALE_FUZZERS)
      # A test's own code is not what is searched for faults, and takes twice the time at -O1.
      target_compile_options(${name}_test PRIVATE -O0)
    endif()
    # One ctest entry per program: discovery would start each program once more per build.
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
  if(TELLTALE_UNITY AND "${name}" IN_LIST TELLTALE_UNITY_MODULES)
    telltale_unity(${name})
    if(tests)
      telltale_unity(${name}_test)
    endif()
  endif()
  if(TELLTALE_FUZZERS)
    foreach(fuzzer ${fuzzers})
      get_filename_component(stem "${fuzzer}" NAME_WE)
      add_executable(${stem} "${fuzzer}")
      target_link_libraries(${stem} PRIVATE ${name} -fsanitize=fuzzer)
      set_target_properties(${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${TELLTALE_FUZZ_DIR}")
    endforeach()
  endif()
endfunction()

# telltale_program(TARGET OUTPUT DIR SOURCE DEPS...): one executable.
function(telltale_program target output dir source)
  add_executable(${target} "${source}")
  target_link_libraries(${target} PRIVATE ${ARGN})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME "${output}"
    RUNTIME_OUTPUT_DIRECTORY "${dir}")
endfunction()
