# SPDX-License-Identifier: Apache-2.0
# Included by gateway/CMakeLists.txt. Two .proto files of the tests are turned into messages, method tables and a descriptor set by the
# same tools as the product's own; no C is written for their RPCs.
set(here ${CMAKE_SOURCE_DIR}/tests/unit/gateway)
set(gen ${CMAKE_CURRENT_BINARY_DIR}/test-gen)
set(includes -I${here} -I${CMAKE_SOURCE_DIR}/proto -I${PROTOBUF_PROTO_DIR})
set(protos shelf.proto refused.proto)
set(outputs ${gen}/test.descriptors)
set(sources)
foreach(stem shelf refused)
    list(APPEND outputs ${gen}/${stem}.pb-c.c ${gen}/${stem}.pb-c.h ${gen}/${stem}.rpc.c ${gen}/${stem}.rpc.h)
    list(APPEND sources ${gen}/${stem}.pb-c.c ${gen}/${stem}.rpc.c)
endforeach()
add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${gen}
    COMMAND ${PROTOC} ${includes} --include_imports --include_source_info --descriptor_set_out=${gen}/test.descriptors ${protos}
    COMMAND ${PROTOC_C} ${includes} --c_out=${gen} ${protos}
    COMMAND protoglue ${gen}/test.descriptors ${gen} ${protos}
    DEPENDS ${here}/shelf.proto ${here}/refused.proto protoglue
    VERBATIM)
add_library(plankton_gateway_test_proto STATIC ${sources})
target_include_directories(plankton_gateway_test_proto PUBLIC ${gen})
target_compile_options(plankton_gateway_test_proto PRIVATE -w)
target_link_libraries(plankton_gateway_test_proto PUBLIC plankton_proto plankton_rpc)

plankton_unit_test(gateway
    SOURCES
    ${here}/test_main.c
    ${here}/fixture.c
    ${here}/test_schema.c
    ${here}/test_routes.c
    ${here}/test_bind.c
    ${here}/test_render.c
    ${here}/test_problem.c
    ${here}/test_openapi.c
    ${here}/test_edge.c
    ${here}/test_site.c
    ${here}/site_fixture.c
    LIBS plankton_gateway_test_proto plankton_openapi plankton_routes plankton_services plankton_rpc_glue plankton_edge plankton_site
         plankton_descriptors plankton_json)
target_compile_definitions(test_gateway PRIVATE TEST_DESCRIPTORS="${gen}/test.descriptors")

plankton_fuzz(gateway
    SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_gateway.c
    LIBS plankton_gateway_test_proto plankton_routes plankton_edge
    CORPUS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/gateway)
target_compile_definitions(fuzz_gateway PRIVATE TEST_DESCRIPTORS="${gen}/test.descriptors")
