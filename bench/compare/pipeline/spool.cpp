// A source, a stage and a sink that do next to nothing, so that what is measured is the way between them; item_ns is one item
// through all three. spool_pipeline: the declarative pipeline; spool: the same fibers and channels by hand; with_context: by hand
// with a context at each operation, which is what the pipeline does.
#include <spool/spool.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>

namespace {

constexpr std::int64_t items = 2'000'000;
constexpr std::size_t capacity = 100;

std::int64_t declared(std::size_t workers, bool ordered) {
  std::int64_t sum = 0;
  spool::pipeline p;
  auto in = p.source<std::int64_t>({.capacity = capacity}, [](spool::sender<std::int64_t> out) {
    for (std::int64_t i = 0; i < items && out.send(i); ++i) {
    }
  });
  auto out =
      p.stage(in, {.workers = workers, .capacity = capacity, .ordered = ordered}, [](std::int64_t v) { return v + 1; });
  p.sink(out, {}, [&](std::int64_t v) { sum += v; });
  return p.wait() ? 0 : sum;
}

std::int64_t by_hand(std::size_t workers) {
  std::int64_t sum = 0;
  spool::wait_group all;
  auto [in_tx, in] = spool::make_channel<std::int64_t>(capacity);
  auto [out_tx, out] = spool::make_channel<std::int64_t>(capacity);
  all.go([to = std::move(in_tx)] {
    for (std::int64_t i = 0; i < items && to.send(i); ++i) {
    }
  });
  for (std::size_t w = 0; w < workers; ++w) {
    all.go([from = in, to = out_tx] {
      while (auto v = from.recv()) {
        if (!to.send(*v + 1)) return;
      }
    });
  }
  out_tx = nullptr;
  all.go([from = std::move(out), &sum] {
    while (auto v = from.recv()) sum += *v;
  });
  all.wait();
  return sum;
}

std::int64_t by_hand_with_context(std::size_t workers) {
  std::int64_t sum = 0;
  spool::errgroup all;
  const spool::context& ctx = all.context();
  auto [in_tx, in] = spool::make_channel<std::int64_t>(capacity);
  auto [out_tx, out] = spool::make_channel<std::int64_t>(capacity);
  all.go([&ctx, to = std::move(in_tx)] {
    for (std::int64_t i = 0; i < items && to.send(ctx, i) == spool::channel_status::ok; ++i) {
    }
  });
  for (std::size_t w = 0; w < workers; ++w) {
    all.go([&ctx, from = in, to = out_tx] {
      while (auto v = from.recv(ctx)) {
        if (to.send(ctx, *v + 1) != spool::channel_status::ok) return;
      }
    });
  }
  out_tx = nullptr;
  all.go([&ctx, from = std::move(out), &sum] {
    while (auto v = from.recv(ctx)) sum += *v;
  });
  return all.wait() ? 0 : sum;
}

template <class F>
bool report(const char* kind, std::size_t workers, const char* system, F&& run) {
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t sum = run(workers);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  std::printf(R"({"row": "pipeline", "case": "%s, %zu workers", "system": "%s", "metrics": {"item_ns": %.1f}})"
              "\n",
              kind, workers, system, took.count() / static_cast<double>(items));
  return sum == items * (items + 1) / 2;
}

}  // namespace

int main() {
  spool::runtime runtime({.threads = 2});
  return runtime.run([] {
    bool right = true;
    for (const std::size_t workers : {1u, 4u}) {
      right &= report("unordered", workers, "spool_pipeline", [](std::size_t w) { return declared(w, false); });
      right &= report("unordered", workers, "spool", by_hand);
      right &= report("cancellable", workers, "spool", by_hand_with_context);
      right &= report("cancellable", workers, "spool_pipeline", [](std::size_t w) { return declared(w, false); });
      right &= report("ordered", workers, "spool_pipeline", [](std::size_t w) { return declared(w, true); });
    }
    return right ? 0 : 1;
  });
}
