# Finds what libreplyio depends on: CURL::libcurl, replyio::cjson and Threads::Threads. Used by the build, and by the installed package
# where the library is static. What is missing ends the configuration, or sets replyio_FOUND to false where that is for the caller to
# judge.
include(CMakeFindDependencyMacro)
find_dependency(CURL 7.77)
find_dependency(Threads)

# Some systems ship cJSON with a CMake package, whose target has no include folder of its own, some with a pkg-config module, some with
# both.
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
            set_target_properties(replyio::cjson PROPERTIES INTERFACE_LINK_LIBRARIES PkgConfig::REPLYIO_CJSON)
        elseif(replyio_FIND_REQUIRED)
            message(FATAL_ERROR "libreplyio needs cJSON 1.7.13 or newer (on Debian: libcjson-dev)")
        else()
            set(replyio_FOUND OFF)
            set(replyio_NOT_FOUND_MESSAGE "libreplyio needs cJSON 1.7.13 or newer")
        endif()
    endif()
endif()
