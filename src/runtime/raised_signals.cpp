#include "raised_signals.hpp"

#include <atomic>

namespace spool::detail {
namespace {

std::atomic<void (*)() noexcept> taker{nullptr};

}  // namespace

void take_raised_signals() noexcept {
  if (auto* take = taker.load(std::memory_order_acquire)) take();
}

void give_raised_signals_to(void (*take)() noexcept) noexcept {
  taker.store(take, std::memory_order_release);
}

}  // namespace spool::detail
