# Run while installing, with `source`, `build` and `python` set: what is made for its place.
set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
set(libraries "${prefix}/lib/telltale")
set(units "${prefix}/lib/systemd/system")
file(MAKE_DIRECTORY "${libraries}" "${units}")

function(must_run)
  message(STATUS "Running: ${ARGN}")
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(failed)
    message(FATAL_ERROR "${ARGN} failed:\n${output}")
  endif()
endfunction()

# The Python environment, the package telltale_lake beside it, and Arrow for telltale-lake out of
# the environment: links, for one copy serves both.
must_run("${python}" "${source}/tools/python-runtime" "${libraries}/python" "${libraries}/site")
file(GLOB arrow RELATIVE "${libraries}"
  "${libraries}/python/lib/python3*/site-packages/pyarrow/libarrow.so.*"
  "${libraries}/python/lib/python3*/site-packages/pyarrow/libparquet.so.*")
foreach(library ${arrow})
  get_filename_component(name "${library}" NAME)
  file(CREATE_LINK "${library}" "${libraries}/${name}" SYMBOLIC)
endforeach()

# Units name the program by its place.
file(GLOB sources "${source}/deploy/systemd/*.service")
foreach(unit ${sources})
  get_filename_component(name "${unit}" NAME)
  file(READ "${unit}" text)
  string(REPLACE "@PREFIX@" "${CMAKE_INSTALL_PREFIX}" text "${text}")
  file(WRITE "${units}/${name}" "${text}")
  file(CHMOD "${units}/${name}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()

# Licence texts and notices of what is in it.
must_run("${python}" "${source}/tools/third-party" --build "${build}"
  --texts "${prefix}/share/doc/telltale/third-party")
