# How sources become libraries, programs and tests. One leaf folder is one static library; the table
# at the end of this file says which folder may link which, and configuring stops at a forbidden edge.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # statement expressions carry TRY
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # One debug level less than -g: line tables for backtraces, a third of the compile time and size.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
endif()

find_program(SKERRY_CCACHE ccache)
if(SKERRY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache's manual asks for where precompiled headers are used.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${SKERRY_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)

add_library(skerry_flags INTERFACE)
target_include_directories(skerry_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(skerry_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough $<$<BOOL:${SKERRY_WERROR}>:-Werror>
  -fstack-protector-strong -ffunction-sections -fdata-sections)
target_link_options(skerry_flags INTERFACE -Wl,--gc-sections -Wl,-z,relro,-z,now)
if(SKERRY_SANITIZE)
  target_compile_options(skerry_flags INTERFACE -fsanitize=${SKERRY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  # Position-dependent: relocating what sanitizers add takes longer than most tests.
  target_link_options(skerry_flags INTERFACE -fsanitize=${SKERRY_SANITIZE} -no-pie)
  if(SKERRY_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # A check at every dereference is half of all code and compile time. The address sanitizer sees
    # null pointers too; the fuzz targets (Clang) keep both checks.
    target_compile_options(skerry_flags INTERFACE -fno-sanitize=null,alignment)
  endif()
  if(SKERRY_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC says that it does not model atomic_thread_fence, which Boost.Asio's headers use.
    target_compile_options(skerry_flags INTERFACE -Wno-tsan)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_definitions(skerry_flags INTERFACE _FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
endif()

if(SKERRY_TESTS)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    message(STATUS "GoogleTest is not installed: building without the tests")
    set(SKERRY_TESTS OFF)
  endif()
endif()
if(SKERRY_TESTS)
  include(GoogleTest)
endif()

# skerry_library(SOURCES a.cc ... [DEPS appliance/base ...] [LIBS OpenSSL::SSL ...]
#                [PUBLIC_LIBS ...] [TESTS a_test.cc ...] [TEST_DEPS folder ...] [TEST_LIBS ...])
# makes library `appliance_base` from folder appliance/base. DEPS are folders of this tree, LIBS are
# third-party targets that no public header shows. TESTS lie in tests/FOLDER and make one program.
function(skerry_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" ""
    "SOURCES;DEPS;LIBS;PUBLIC_LIBS;TESTS;TEST_DEPS;TEST_LIBS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "skerry_library: unknown words: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "_" target ${folder})
  add_library(${target} STATIC ${arg_SOURCES})
  target_link_libraries(${target} PUBLIC skerry_flags ${arg_PUBLIC_LIBS} PRIVATE ${arg_LIBS})
  foreach(dep IN LISTS arg_DEPS)
    skerry_check_edge(${folder} ${dep})
    string(REPLACE "/" "_" dep_target ${dep})
    target_link_libraries(${target} PUBLIC ${dep_target})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY SKERRY_LEAF_FOLDERS ${folder})
  if(arg_TESTS AND SKERRY_TESTS)
    list(TRANSFORM arg_TESTS PREPEND ${CMAKE_SOURCE_DIR}/tests/${folder}/)
    skerry_test(${target}_test SOURCES ${arg_TESTS} DEPS ${folder} ${arg_TEST_DEPS}
                LIBS ${arg_LIBS} ${arg_TEST_LIBS})
  endif()
endfunction()

# skerry_program(NAME SOURCES main.cc ... DEPS folder ... [LIBS ...])
function(skerry_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS;LIBS")
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE skerry_flags ${arg_LIBS})
  foreach(dep IN LISTS arg_DEPS)
    string(REPLACE "/" "_" dep_target ${dep})
    target_link_libraries(${name} PRIVATE ${dep_target})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY SKERRY_PROGRAMS ${name})
endfunction()

# skerry_test(NAME SOURCES ... DEPS folder ... [LIBS ...] [LABEL unit])
function(skerry_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL" "SOURCES;DEPS;LIBS")
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE skerry_flags ${arg_LIBS} GTest::gmock GTest::gtest_main)
  foreach(dep IN LISTS arg_DEPS)
    string(REPLACE "/" "_" dep_target ${dep})
    target_link_libraries(${name} PRIVATE ${dep_target})
  endforeach()
  # Paths of this checkout only for the sources that name them: a compiler cache then knows the
  # others in any checkout.
  foreach(source IN LISTS arg_SOURCES)
    file(STRINGS ${source} names_paths REGEX "SKERRY_(SOURCE|BIN)_DIR" LIMIT_COUNT 1)
    if(names_paths)
      set_property(SOURCE ${source} PROPERTY COMPILE_DEFINITIONS
        SKERRY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SKERRY_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
    endif()
  endforeach()
  # Test code runs once: the time to compile it counts for more. The code under test keeps its -O2.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # A test of its own for each case, except under sanitizers, where starting a process takes longer
  # than most cases do.
  if(SKERRY_SANITIZE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 1800)
  else()
    # Listing them can take longer than the default 5 s on a busy machine.
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX ${name}.
      PROPERTIES LABELS ${arg_LABEL} TIMEOUT 300)
  endif()
endfunction()

include(${CMAKE_CURRENT_LIST_DIR}/layers.cmake)
