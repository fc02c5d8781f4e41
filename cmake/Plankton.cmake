# SPDX-License-Identifier: Apache-2.0
# Build rules shared by every part. Flags live on INTERFACE targets, never in CMAKE_C_FLAGS.
include(CheckSymbolExists)
find_package(PkgConfig REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(PROTOBUFC REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(SMARTCOLS IMPORTED_TARGET smartcols)
pkg_check_modules(CHECK IMPORTED_TARGET check)

add_library(plankton_flags INTERFACE)
target_compile_features(plankton_flags INTERFACE c_std_11)
target_compile_definitions(plankton_flags INTERFACE _GNU_SOURCE PLANKTON_VERSION="${PROJECT_VERSION}")
target_compile_options(plankton_flags INTERFACE
    -std=gnu11 -UNDEBUG -fno-strict-aliasing -fno-omit-frame-pointer
    -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wformat=2 -Wno-unused-parameter -Wframe-larger-than=32768
    -Werror=implicit -Werror=incompatible-pointer-types
    $<$<BOOL:${PLANKTON_WERROR}>:-Werror>)

# Adds a folder of the tree.
macro(plankton_part dir)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/CMakeLists.txt)
        add_subdirectory(${dir})
    endif()
endmacro()

# plankton_library(NAME SOURCES a.c b.c [PUBLIC libs…] [PRIVATE libs…])
# A static library `plankton_NAME` with its own include root `include/NAME/`. PRIVATE libraries are not seen by users' includes.
function(plankton_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(plankton_${name} STATIC ${ARG_SOURCES})
    target_include_directories(plankton_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
    target_link_libraries(plankton_${name} PUBLIC ${ARG_PUBLIC} PRIVATE plankton_flags ${ARG_PRIVATE})
endfunction()

# plankton_program(NAME SOURCES … LIBS …): an executable in build/<preset>/bin.
function(plankton_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE plankton_flags ${ARG_LIBS})
endfunction()

# plankton_unit_test(NAME SOURCES test_x.c … LIBS plankton_x …): one check executable, run by ctest with the label `unit`.
function(plankton_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(test_${name} ${ARG_SOURCES})
    target_link_libraries(test_${name} PRIVATE plankton_flags ${ARG_LIBS} PkgConfig::CHECK)
    add_test(NAME unit.${name} COMMAND test_${name})
    # check kills a test after 4 s by default: too little beside other builds
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120 ENVIRONMENT CK_DEFAULT_TIMEOUT=60)
endfunction()

# plankton_fuzz(NAME SOURCES fuzz_x.c LIBS … [CORPUS dir]): a libFuzzer target; without clang the same file runs its corpus as a test.
function(plankton_fuzz name)
    cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LIBS" ${ARGN})
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE plankton_flags ${ARG_LIBS})
    if(PLANKTON_FUZZ)
        target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    else()
        target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
    endif()
    if(ARG_CORPUS)
        add_test(NAME fuzz.${name} COMMAND fuzz_${name} -runs=0 ${ARG_CORPUS})
        set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
    endif()
endfunction()
