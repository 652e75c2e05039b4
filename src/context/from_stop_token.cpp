#include "context_core.hpp"

#include <optional>

namespace spool {
namespace detail {
namespace {

class token_core final : public context_core {
 public:
  using context_core::context_core;

  void watch(std::stop_token token) { callback_.emplace(std::move(token), on_stop{this}); }

 private:
  struct on_stop {
    token_core* core;
    void operator()() const noexcept {
      // The last handle may just be gone; then the destructor waits for this call, below a count that must stay 0.
      if (!core->try_add_ref()) return;
      const boost::intrusive_ptr<token_core> self(core, false);
      self->cancel(errc::canceled, {});
    }
  };
  // Never reset before the end: it may be running, or, when the stop was requested already, still be under
  // construction.
  std::optional<std::stop_callback<on_stop>> callback_;
};

}  // namespace
}  // namespace detail

context from_stop_token(const context& parent, std::stop_token token) {
  if (!token.stop_possible()) return parent;
  boost::intrusive_ptr<detail::token_core> core(new detail::token_core(detail::core_of(parent)));
  core->follow_parent();
  core->watch(std::move(token));
  return detail::adopt(parent, std::move(core));
}

}  // namespace spool
