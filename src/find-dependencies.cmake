# find-dependencies.cmake - the library's dependencies: CURL::libcurl, replyio::cjson and
# Threads::Threads. The build includes this file, and so does the installed package of a static
# library. A missing dependency ends the configuration if the package is REQUIRED; otherwise
# replyio_FOUND becomes false.
include(CMakeFindDependencyMacro)
find_dependency(CURL 7.76)
find_dependency(Threads)

# Systems ship cJSON with a CMake package, with a pkg-config module, or with both. The CMake target
# has no include directory.
if(NOT TARGET replyio::cjson)
    find_package(cJSON 1.7.13 CONFIG QUIET)
    if(TARGET cjson)
        add_library(replyio::cjson INTERFACE IMPORTED)
        set_target_properties(replyio::cjson PROPERTIES INTERFACE_LINK_LIBRARIES cjson)
    else()
        find_dependency(PkgConfig)
        pkg_check_modules(REPLYIO_CJSON IMPORTED_TARGET GLOBAL libcjson>=1.7.13)
        if(REPLYIO_CJSON_FOUND)
            add_library(replyio::cjson INTERFACE IMPORTED)
            set_target_properties(replyio::cjson PROPERTIES
                                  INTERFACE_LINK_LIBRARIES PkgConfig::REPLYIO_CJSON)
        elseif(replyio_FIND_REQUIRED)
            message(FATAL_ERROR "libreplyio needs cJSON 1.7.13 or newer (on Debian: libcjson-dev)")
        else()
            set(replyio_FOUND OFF)
            set(replyio_NOT_FOUND_MESSAGE "libreplyio needs cJSON 1.7.13 or newer")
        endif()
    endif()
endif()
