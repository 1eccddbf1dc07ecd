# Compiler settings shared by every target: warnings, sanitizers, the compiler cache and the linker.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
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
                                           # GCC 12 sees these where inlining or sanitizers hide the bounds from it:
                                           # they stay warnings.
                                           $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized
                                           -Wno-error=array-bounds -Wno-error=stringop-overflow
                                           -Wno-error=stringop-overread -Wno-error=restrict
                                           -Wno-error=free-nonheap-object -Wno-error=dangling-pointer>)
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
