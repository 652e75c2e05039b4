#include <spool/context/after_func.hpp>

#include "context_core.hpp"
#include "runtime_tie.hpp"

namespace spool {

bool after_func_stop::operator()() const noexcept {
  if (!entry_->take()) return false;
  if (watched_) static_cast<detail::context_core*>(watched_.get())->remove_after_func(*entry_);
  entry_->drop();
  return true;
}

namespace detail {

after_func_stop register_after_func(const context& ctx, scheduler& s, task* f) {
  struct drop {
    void operator()(task* t) const noexcept { drop_task(t); }
  };
  std::unique_ptr<task, drop> owned(f);
  std::shared_ptr<runtime_tie> runtime = tie_of(s);
  auto entry = std::make_shared<after_func_entry>(std::move(runtime), owned.get());
  owned.release();
  cancel_node_ptr watched(context_access::node(ctx));
  if (watched && !core_of(ctx)->add_after_func(entry) && entry->take()) entry->start();
  return {std::move(watched), std::move(entry)};
}

}  // namespace detail
}  // namespace spool
