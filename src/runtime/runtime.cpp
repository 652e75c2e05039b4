#include <spool/runtime/runtime.hpp>

#include "options.hpp"
#include "scheduler.hpp"
#include "seeded.hpp"

#include <memory>
#include <stdexcept>
#include <utility>

namespace spool {

runtime::runtime(runtime_options options)
    : core_(std::make_shared<detail::scheduler>(detail::checked(std::move(options)), *this)) {}

runtime::runtime(runtime_options options, const detail::seeded_options& seeded)
    : core_(std::make_shared<detail::scheduler>(detail::checked(std::move(options)), *this,
                                                std::make_unique<detail::seeded>(seeded))) {}

runtime::~runtime() {
  if (core_->process_exits()) {  // by std::exit on one of its fibers, which destroys static objects
    new std::shared_ptr<detail::scheduler>(std::move(core_));
    return;
  }
  core_->begin_stop();
  core_->wait_until_drained();
  // A context that was cancelled just now may have started its after_func fiber; from here on none can.
  core_->drop_attachments();
  core_->wait_until_drained();
}

runtime* runtime::current() noexcept {
  detail::scheduler* s = detail::current_scheduler();
  return s != nullptr ? &s->handle() : nullptr;
}

stack_usage runtime::stack_usage() const {
  return core_->stack_usage();
}

void runtime::begin_run() {
  if (detail::current_scheduler() == core_.get()) {
    throw std::logic_error(
        "spool::runtime::run: called on a fiber of the same runtime, which would wait for itself. Use go, async or an errgroup");
  }
  core_->begin_run();
}

void runtime::end_run() noexcept {
  core_->begin_stop();
  core_->wait_until_drained();
  core_->finish_stop();
}

}  // namespace spool
