// The options of a pipeline and of its stages. Aggregates, for designated initializers.
#pragma once

#include <spool/pipeline/on_error.hpp>

#include <cstddef>
#include <string>

namespace spool {

struct pipeline_options {
  std::string name = "pipeline";  ///< its fibers are called name/stage in reports
};

struct source_options {
  std::string name = "source";
  std::size_t capacity = 100;  ///< items that wait for the next stage; 0: each is handed over
};

/// T: what the stage receives.
template <class T>
struct stage_options {
  std::string name = "stage";
  std::size_t workers = 1;     ///< items in progress at a time, one fiber each; 1 to 1,048,576
  std::size_t capacity = 100;  ///< results that wait for the next stage; 0: each is handed over
  /// Results leave in the order of their items. At most workers + capacity items are then between input and consumer; a
  /// worker whose item is ahead of a slow one goes on with the next as long as that allows.
  bool ordered = false;
  error_policy<T> on_error = spool::on_error::stop;
};

/// T: what the sink receives.
template <class T>
struct sink_options {
  std::string name = "sink";
  std::size_t workers = 1;  ///< items in progress at a time, one fiber each; 1 to 1,048,576
  error_policy<T> on_error = spool::on_error::stop;
};

}  // namespace spool
