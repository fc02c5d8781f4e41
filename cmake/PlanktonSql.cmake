# SPDX-License-Identifier: Apache-2.0
# plankton_sql(TARGET a.sql b.sql …): compiles the statements of each file into TARGET. Its sources see them as "sql/a.h": one
# `SQL_<name>` per block and the list SQL_FILE_a. A test of TARGET adds the folder with
#   target_include_directories(test_x PRIVATE $<TARGET_PROPERTY:TARGET,PLANKTON_SQL_DIR>)
function(plankton_sql target)
    set(root ${CMAKE_CURRENT_BINARY_DIR}/sqlgen)
    file(MAKE_DIRECTORY ${root}/sql)
    foreach(file ${ARGN})
        get_filename_component(stem ${file} NAME_WE)
        get_filename_component(path ${file} ABSOLUTE)
        set(out ${root}/sql/${stem})
        add_custom_command(OUTPUT ${out}.h ${out}.c
            COMMAND sqlgen statements ${path} ${out}.h ${out}.c
            DEPENDS ${path} sqlgen
            COMMENT "sqlgen ${stem}.sql" VERBATIM)
        target_sources(${target} PRIVATE ${out}.h ${out}.c)
    endforeach()
    target_include_directories(${target} PRIVATE ${root})
    set_target_properties(${target} PROPERTIES PLANKTON_SQL_DIR ${root})
endfunction()

# plankton_integration_test(NAME SOURCES … LIBS … [SQL a.sql …]): a check executable that runs beside a private PostgreSQL.
function(plankton_integration_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;SQL" ${ARGN})
    add_executable(test_${name} ${ARG_SOURCES})
    target_link_libraries(test_${name} PRIVATE plankton_flags ${ARG_LIBS} PkgConfig::CHECK)
    target_compile_definitions(test_${name} PRIVATE PLANKTON_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    if(ARG_SQL)
        plankton_sql(test_${name} ${ARG_SQL})
    endif()
    add_test(NAME integration.${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/integration/with-postgres $<TARGET_FILE:test_${name}>)
    set_tests_properties(integration.${name} PROPERTIES LABELS integration TIMEOUT 300)
endfunction()
