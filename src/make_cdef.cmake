# make_cdef.cmake - the declarations of HEADER without preprocessor directives, written to OUTPUT
# for LuaJIT's ffi.cdef and Python's cffi. COMPILER is the C compiler whose preprocessor is used.
#
# The standard headers are replaced by empty files, because both readers know bool, size_t and the
# integer types. Any other header ends the build. __GNUC__ is undefined because cffi cannot read
# attributes.
set(empty_headers ${OUTPUT}.include)
foreach(name stdbool stddef stdint)
    file(WRITE ${empty_headers}/${name}.h "")
endforeach()
execute_process(COMMAND ${COMPILER} -std=c11 -nostdinc -I ${empty_headers} -U__GNUC__ -E -P
                        ${HEADER}
                OUTPUT_VARIABLE declarations RESULT_VARIABLE result)
file(REMOVE_RECURSE ${empty_headers})
if(NOT result EQUAL 0)
    message(FATAL_ERROR "${HEADER} cannot be preprocessed: ${result}")
endif()
# Compilers leave different white space in place of the attributes.
string(REGEX REPLACE "\n +([a-z_ *]+\\()" "\n\\1" declarations "${declarations}")
string(REGEX REPLACE "\n\n+" "\n" declarations "${declarations}")
string(STRIP "${declarations}" declarations)
file(WRITE ${OUTPUT}
     "/* Declarations of replyio.h, without preprocessor directives. */\n${declarations}\n")
