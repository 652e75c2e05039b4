// Children of one context, per child:
//   derive_ns  with_cancel of the parent
//   cancel_ns  the parent is cancelled, and with it all children
//   drop_ns    the child ends after that
#include "growth.hpp"

#include <algorithm>

namespace {

constexpr std::int64_t least_operations = 500'000;

growth::metrics measure(std::int64_t children) {
  const std::int64_t rounds = std::max<std::int64_t>(1, least_operations / children);
  const std::int64_t operations = rounds * children;
  double derive_ns = 0;
  double cancel_ns = 0;
  double drop_ns = 0;
  std::vector<spool::cancel_scope> scopes;
  scopes.reserve(static_cast<std::size_t>(children));
  for (std::int64_t round = 0; round < rounds; ++round) {
    const spool::cancel_scope parent = spool::with_cancel(spool::context::background());
    const growth::stopwatch deriving;
    for (std::int64_t i = 0; i < children; ++i) scopes.push_back(spool::with_cancel(parent.ctx()));
    derive_ns += deriving.ns_each(operations);
    const growth::stopwatch cancelling;
    parent.cancel();
    cancel_ns += cancelling.ns_each(operations);
    const growth::stopwatch dropping;
    scopes.clear();
    drop_ns += dropping.ns_each(operations);
  }
  return {{"derive_ns", derive_ns}, {"cancel_ns", cancel_ns}, {"drop_ns", drop_ns}};
}

}  // namespace

int main(int count, char** arguments) {
  return growth::run(count, arguments, "growth_contexts", growth::one_two_five(100'000), measure);
}
