# find_package(oe_process): targets oe_process::oe_process (shared) and oe_process::static.
get_filename_component(_oe_process_lib "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_oe_process_include "${_oe_process_lib}/@UP@/include" ABSOLUTE)

if(NOT TARGET oe_process::oe_process)
  add_library(oe_process::oe_process SHARED IMPORTED)
  set_target_properties(oe_process::oe_process PROPERTIES
    IMPORTED_LOCATION "${_oe_process_lib}/liboe_process.so.@VERSION@"
    IMPORTED_SONAME "liboe_process.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${_oe_process_include}")
endif()

if(NOT TARGET oe_process::static)
  add_library(oe_process::static STATIC IMPORTED)
  set_target_properties(oe_process::static PROPERTIES
    IMPORTED_LOCATION "${_oe_process_lib}/liboe_process.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_oe_process_include}"
    INTERFACE_LINK_LIBRARIES "@CMAKE_LIBRARIES@")
endif()

unset(_oe_process_lib)
unset(_oe_process_include)
