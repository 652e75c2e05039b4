# Boost.Context and Boost.Fiber as targets of our own; part of the installed package too.
#
# Not Boost::fiber: whether that one is static is decided by whoever in a build looks for Boost first. We want the
# static library whatever others chose (thread-locals in the shared one cost about half the speed of a switch), and
# code that uses Boost.Fiber's own primitives on our fibers must link the very copy that we do: spool::boost_fiber.
function(spool_import_boost linkage)
  if(TARGET spool::boost_fiber)
    return()
  endif()
  foreach(name IN ITEMS context fiber)
    set(static_name "libboost_${name}.a")
    set(shared_name "libboost_${name}.so")
    if(linkage STREQUAL "static")
      set(names ${static_name} ${shared_name})
    else()
      set(names ${shared_name})
    endif()
    # Beside Boost's own package files first: another version may be installed elsewhere.
    find_library(SPOOL_BOOST_${name}_${linkage} NAMES ${names} NAMES_PER_DIR
                 HINTS "${Boost_DIR}/../.." ${Boost_LIBRARY_DIRS})
    mark_as_advanced(SPOOL_BOOST_${name}_${linkage})
    if(NOT SPOOL_BOOST_${name}_${linkage})
      message(FATAL_ERROR "spool needs Boost.${name} ${Boost_VERSION} (Debian: libboost-${name}1.81-dev)")
    endif()
    add_library(spool::boost_${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(spool::boost_${name} PROPERTIES IMPORTED_LOCATION "${SPOOL_BOOST_${name}_${linkage}}")
    target_link_libraries(spool::boost_${name} INTERFACE Boost::headers)
  endforeach()
  target_link_libraries(spool::boost_fiber INTERFACE spool::boost_context Threads::Threads)
endfunction()
