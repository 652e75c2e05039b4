// What contexts keep with a runtime: its root context, and the tie by which after_func finds it or learns that it
// ended.
#include "context_core.hpp"
#include "runtime_tie.hpp"

#include <spool/runtime/runtime.hpp>

namespace spool {
namespace detail {
namespace {

struct runtime_part {
  boost::intrusive_ptr<context_core> core{new context_core(nullptr)};
  context root = adopt(context::background(), core);
  std::shared_ptr<runtime_tie> tie = std::make_shared<runtime_tie>();
};

runtime_part& part_of(scheduler& s) {
  void* part = attach_once(s, []() -> attachment {
    return {new runtime_part,
            [](void* object) noexcept { static_cast<runtime_part*>(object)->core->cancel(errc::canceled, {}); },
            [](void* object) noexcept {
              auto* ending = static_cast<runtime_part*>(object);
              ending->tie->cut();
              delete ending;
            }};
  });
  return *static_cast<runtime_part*>(part);
}

}  // namespace

std::shared_ptr<runtime_tie> tie_of(scheduler& s) {
  runtime_part& part = part_of(s);
  part.tie->bind(s);
  return part.tie;
}

}  // namespace detail

const context& runtime::root() const { return detail::part_of(core()).root; }

}  // namespace spool
