# Generates the C++ object API of the LiteRT file format from src/schema/schema.fbs.

find_program(FLATC flatc REQUIRED)
# Builds that share one have the same preprocessed sources, so the compiler cache serves both.
set(KERAS_LITERT_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated CACHE PATH "Where the header goes")
set(schema_dir ${KERAS_LITERT_GENERATED_DIR}/schema)
add_custom_command(
  OUTPUT ${schema_dir}/schema_generated.h
  COMMAND ${FLATC} --cpp --gen-object-api --scoped-enums --reflect-names -o ${CMAKE_BINARY_DIR}/schema
          ${CMAKE_SOURCE_DIR}/src/schema/schema.fbs
  # A second build that shares the header must not make the first one think that it changed.
  COMMAND ${CMAKE_COMMAND} -E make_directory ${schema_dir}
  COMMAND ${CMAKE_COMMAND} -E copy_if_different ${CMAKE_BINARY_DIR}/schema/schema_generated.h ${schema_dir}
  DEPENDS ${CMAKE_SOURCE_DIR}/src/schema/schema.fbs
  VERBATIM)
add_custom_target(schema_header DEPENDS ${schema_dir}/schema_generated.h)
add_library(keras_litert_schema INTERFACE)
add_dependencies(keras_litert_schema schema_header)
target_include_directories(keras_litert_schema SYSTEM INTERFACE $<BUILD_INTERFACE:${KERAS_LITERT_GENERATED_DIR}>)
set_target_properties(keras_litert_schema PROPERTIES EXPORT_NAME schema)
