execute_process(
  COMMAND ${NM} --defined-only --extern-only ${LIBRARY}
  OUTPUT_VARIABLE listing
  COMMAND_ERROR_IS_FATAL ANY
)
foreach(source avx2 avx512)
  string(REGEX MATCH "\n${source}\\.cpp\\.o:\n([^:]*\n)*" symbols "${listing}")
  string(REGEX MATCHALL "[0-9a-f]+ [TWi] [^\n]+" symbols "${symbols}")
  list(LENGTH symbols n_symbols)
  if(NOT n_symbols EQUAL 1)
    message(FATAL_ERROR "${source}.cpp: expected one external function, got ${symbols}")
  endif()
endforeach()
