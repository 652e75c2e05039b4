// spool's rows run inside one runtime that outlives the measured loop: starting threads is no part of them.
#pragma once

#include <benchmark/benchmark.h>

#include <spool/spool.hpp>

#include <cstddef>
#include <utility>

namespace bench {

inline spool::runtime_options with_threads(const benchmark::State& state) {
  spool::runtime_options options;
  options.threads = static_cast<std::size_t>(state.range(0));
  return options;
}

template <class F>
void in_runtime(const benchmark::State& state, F&& body) {
  spool::runtime rt(with_threads(state));
  rt.run(std::forward<F>(body));
}

}  // namespace bench
