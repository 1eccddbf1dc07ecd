# Compiler settings shared by every target: warnings, sanitizers, the compiler cache and the linker.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      # CCACHE_DEPEND: what a file includes is known from its compilation, so an unknown one is not preprocessed too.
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

find_program(MOLD mold)
if(MOLD AND NOT APPLE AND NOT WIN32)
  add_link_options(-fuse-ld=mold)
endif()

function(keras_litert_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
                                           # libstdc++ 12's own algorithms use what it marks deprecated.
                                           $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
                                           $<$<BOOL:${KERAS_LITERT_WERROR}>:-Werror>
                                           # GCC 12 sees these where there is nothing (GCC bug 105651 in std::string is
                                           # one); clang, its sanitizers and clang-tidy look for them.
                                           $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-array-bounds
                                           -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict
                                           -Wno-free-nonheap-object -Wno-dangling-pointer>)
endfunction()

# One build serves the tests under the sanitizers and the fuzz targets, so it carries the coverage
# counters that libFuzzer reads.
if(KERAS_LITERT_SANITIZE)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "KERAS_LITERT_SANITIZE needs clang: libFuzzer is part of it")
  endif()
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# keras_litert_precompile(TARGET HEADERS…) parses the headers that take most of the target's compile time once;
# keras_litert_precompile(TARGET REUSE_FROM OTHER) uses those of another target. Sources still include what they use:
# scripts/tidy compiles without.
function(keras_litert_precompile target)
  if(ARGV1 STREQUAL REUSE_FROM)
    target_precompile_headers(${target} REUSE_FROM ${ARGV2})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
  # What the compiler cache asks for to know precompiled headers by their contents.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
                                           "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endfunction()
