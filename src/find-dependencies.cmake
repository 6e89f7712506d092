# Finds what libreplyio depends on: CURL::libcurl, replyio::cjson and Threads::Threads. Used by the build, and by the installed package
# where the library is static.
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
        pkg_check_modules(REPLYIO_CJSON REQUIRED IMPORTED_TARGET GLOBAL libcjson>=1.7.13)
        add_library(replyio::cjson INTERFACE IMPORTED)
        set_target_properties(replyio::cjson PROPERTIES INTERFACE_LINK_LIBRARIES PkgConfig::REPLYIO_CJSON)
    endif()
endif()
