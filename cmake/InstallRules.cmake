# The rules behind cmake/Install.cmake. The modes of files are CMake's (0644, programs 0755); those
# of folders do not follow the umask of whoever installs.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(library_folder lib/telltale)

# DT_RPATH and not DT_RUNPATH: it also holds for the libraries of these libraries, which the tarball
# brings along (tools/package).
foreach(program telltale telltale-worker telltale_lake telltale_vault)
  set(up ../..)
  set(folder libexec/telltale)
  if(program STREQUAL "telltale")
    set(up ..)
    set(folder bin)
  endif()
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/${up}/${library_folder}")
  target_link_options(${program} PRIVATE "$<$<CONFIG:Release>:LINKER:--disable-new-dtags>")
  install(TARGETS ${program} RUNTIME DESTINATION ${folder})
endforeach()

# Contract: what `telltale init` reads, and what those who write a car's software compile.
install(FILES "${CMAKE_BINARY_DIR}/share/telltale/contract.desc" DESTINATION share/telltale)
install(DIRECTORY contract/telltale DESTINATION share/telltale/contract
  FILES_MATCHING PATTERN "*.proto")
install(FILES release/default/rules.yaml DESTINATION share/telltale/release/default)
install(DIRECTORY features/ DESTINATION share/telltale/features
  FILES_MATCHING PATTERN "*.sql" PATTERN "*.yaml" PATTERN "*.json")

install(FILES LICENSE NOTICE DESTINATION share/doc/telltale)
install(DIRECTORY docs/ DESTINATION share/doc/telltale FILES_MATCHING PATTERN "*.md")
install(FILES deploy/man/telltale.1 DESTINATION share/man/man1)

install(CODE "set(source \"${CMAKE_SOURCE_DIR}\")
set(build \"${CMAKE_BINARY_DIR}\")
set(python \"${TELLTALE_PYTHON}\")")
install(SCRIPT cmake/InstallScript.cmake)
