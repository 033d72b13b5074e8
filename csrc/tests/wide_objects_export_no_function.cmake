execute_process(
  COMMAND ${NM} --defined-only --extern-only ${OBJECTS}
  OUTPUT_VARIABLE symbols
  COMMAND_ERROR_IS_FATAL ANY
)
string(REGEX MATCHALL "[0-9a-f]+ [TWi] [^\n]+" functions "${symbols}")
if(functions OR NOT symbols MATCHES "avx512_loops")
  message(FATAL_ERROR "Expected no external function, got '${functions}'.")
endif()
