# make_cdef.cmake: writes OUTPUT, the declarations of HEADER without preprocessor, for LuaJIT's ffi.cdef and Python's cffi. COMPILER is the
# C compiler whose preprocessor does it.
#
# The standard headers that HEADER includes are empty here, since both readers know bool, size_t and the integer types by themselves;
# any further one ends the build. Without __GNUC__ the header asks for no attributes, which cffi does not read.
set(stand_ins ${OUTPUT}.include)
foreach(name stdbool stddef stdint)
    file(WRITE ${stand_ins}/${name}.h "")
endforeach()
execute_process(COMMAND ${COMPILER} -std=c11 -nostdinc -I ${stand_ins} -U__GNUC__ -E -P ${HEADER}
                OUTPUT_VARIABLE declarations RESULT_VARIABLE result)
file(REMOVE_RECURSE ${stand_ins})
if(NOT result EQUAL 0)
    message(FATAL_ERROR "${HEADER} cannot be preprocessed: ${result}")
endif()
# Compilers differ in the white space that is left where the attributes stood.
string(REGEX REPLACE "\n +([a-z_ *]+\\()" "\n\\1" declarations "${declarations}")
string(REGEX REPLACE "\n\n+" "\n" declarations "${declarations}")
string(STRIP "${declarations}" declarations)
file(WRITE ${OUTPUT} "/* The declarations of replyio.h, made from it: for readers that have no preprocessor. */\n${declarations}\n")
