#include <spool/testing/leak_check.hpp>

#include <spool/runtime/runtime.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <thread>

namespace spool::testing {

leak_check::leak_check(std::chrono::milliseconds grace) : leak_check(spool::detail::current_scheduler(), grace) {}

leak_check::leak_check(runtime& watched, std::chrono::milliseconds grace) : leak_check(&core_of(watched), grace) {}

leak_check::leak_check(spool::detail::scheduler* watched, std::chrono::milliseconds grace)
    : watched_(watched), grace_(grace), exceptions_before_(std::uncaught_exceptions()) {
  const spool::detail::live_fibers now = spool::detail::look_for_fibers(watched_);
  for (const auto& f : now.begun) before_.insert(f.id);
  not_begun_before_ = now.not_begun;
}

leak_check::~leak_check() noexcept(false) {
  if (!asked_ && std::uncaught_exceptions() == exceptions_before_) verify();
}

std::vector<std::string> leak_check::look() const {
  std::vector<std::string> lines;
  const spool::detail::live_fibers now = spool::detail::look_for_fibers(watched_);
  for (const auto& f : now.begun) {
    if (!before_.contains(f.id)) lines.push_back(f.description);
  }
  if (now.not_begun > not_begun_before_) lines.push_back(fmt::format("{} that have not begun", now.not_begun - not_begun_before_));
  return lines;
}

std::vector<std::string> leak_check::leaks() {
  using namespace std::chrono_literals;
  asked_ = true;
  const auto until = spool::detail::clock::now() + grace_;
  const auto pause = std::max<std::chrono::milliseconds>(1ms, grace_ / 64);
  std::vector<std::string> left = look();
  while (!left.empty() && spool::detail::clock::now() < until) {
    if (spool::detail::on_fiber()) {
      this_fiber::sleep_for(pause);
    } else {
      std::this_thread::sleep_for(pause);
    }
    left = look();
  }
  return left;
}

void leak_check::verify() {
  const std::vector<std::string> left = leaks();
  if (left.empty()) return;
  throw leak_error(fmt::format("spool::testing::leak_check: started and not ended:\n  {}", fmt::join(left, "\n  ")));
}

}  // namespace spool::testing
