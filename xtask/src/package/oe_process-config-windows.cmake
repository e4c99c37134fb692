# find_package(oe_process): targets oe_process::oe_process (the DLL) and, for MinGW-w64, oe_process::static.
get_filename_component(_oe_process_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET oe_process::oe_process)
  add_library(oe_process::oe_process SHARED IMPORTED)
  set_target_properties(oe_process::oe_process PROPERTIES
    IMPORTED_LOCATION "${_oe_process_prefix}/bin/oe_process.dll"
    INTERFACE_COMPILE_DEFINITIONS OE_SHARED
    INTERFACE_INCLUDE_DIRECTORIES "${_oe_process_prefix}/include")
  if(MINGW)
    set_target_properties(oe_process::oe_process PROPERTIES
      IMPORTED_IMPLIB "${_oe_process_prefix}/lib/liboe_process.dll.a")
  else()
    set_target_properties(oe_process::oe_process PROPERTIES
      IMPORTED_IMPLIB "${_oe_process_prefix}/lib/oe_process.lib")
  endif()
endif()

if(MINGW AND EXISTS "${_oe_process_prefix}/lib/liboe_process.a" AND NOT TARGET oe_process::static)
  add_library(oe_process::static STATIC IMPORTED)
  set_target_properties(oe_process::static PROPERTIES
    IMPORTED_LOCATION "${_oe_process_prefix}/lib/liboe_process.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_oe_process_prefix}/include"
    INTERFACE_LINK_LIBRARIES "@CMAKE_LIBRARIES@")
endif()

unset(_oe_process_prefix)
