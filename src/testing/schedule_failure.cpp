#include <spool/testing/schedule_failure.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace spool::testing {
namespace {

std::string text_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

std::string reason(run_ending how, const spool::detail::seeded_outcome& o) {
  switch (how) {
    case run_ending::thrown: return text_of(o.exception);
    case run_ending::escaped: return fmt::format("an exception left {}: {}", o.culprit, text_of(o.exception));
    case run_ending::deadlock: return "deadlock: every fiber waits, and no timer is armed";
    case run_ending::leak: return "leak: the function has returned, and fibers are left that nothing wakes";
    case run_ending::endless: return fmt::format("endless: no end after {} decisions", o.decisions);
    case run_ending::failed: return "a check has failed";
  }
  return {};
}

std::string describe(run_ending how, const spool::detail::seeded_outcome& o) {
  std::string text = fmt::format("spool::testing: seed {}: {}", o.seed, reason(how, o));
  if (!o.fibers.empty()) text += fmt::format("\n  {}", fmt::join(o.fibers, "\n  "));
  text += fmt::format("\n  {} decisions, {} with a choice, trace {:016x}", o.decisions, o.trace.size(), o.hash);
  if (o.outside) text += "; a thread from outside took part, so the seed alone may not bring it back";
  return text;
}

}  // namespace

schedule_failure::schedule_failure(run_ending how, spool::detail::seeded_outcome outcome)
    : runtime_error(describe(how, outcome)), how_(how), outcome_(std::move(outcome)) {}

}  // namespace spool::testing
