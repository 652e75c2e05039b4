#include "fiber.hpp"

#include "scheduler.hpp"
#include "seeded.hpp"
#include "task_cache.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <boost/fiber/policy.hpp>

#include <spdlog/spdlog.h>

#include <exception>
#include <new>

namespace spool::detail {
namespace {

constexpr std::size_t color_bytes = 256;

std::atomic<std::uint64_t> next_id{1};

/// Gives Boost the part of a stack that lies below the control block, and takes the whole back.
struct stack_below_block {
  stack_depot* depot;
  stack_memory whole;
  std::size_t usable;

  boost::context::stack_context allocate() noexcept {
    boost::context::stack_context context;
    context.size = usable;
    context.sp = whole.low + usable;
    return context;
  }
  void deallocate(boost::context::stack_context&) noexcept { depot->give_back(whole); }
};

static_assert(sizeof(fiber_head) <= 2 * cache_line_bytes);

/// What lies below the control block.
std::size_t usable_bytes(const stack_memory& stack) noexcept {
  return (stack.bytes - stack.color * color_bytes - sizeof(fiber)) & ~std::size_t{63};
}

[[noreturn]] void die_of_escaped_exception(const fiber& f) noexcept {
  f.owner.report_escaped_exception(f);
  std::terminate();
}

}  // namespace

fiber::fiber(scheduler& s, boost::fibers::context* ctx, bool is_guest) noexcept
    : fiber_head(s, ctx, is_guest) {
  owner.enlist(*this);
}

fiber::~fiber() {
  owner.delist(*this);
}

fiber* fiber::runner_on(const stack_memory& stack) noexcept {
  return reinterpret_cast<fiber*>(stack.low + usable_bytes(stack));
}

fiber* fiber::make_runner(scheduler& owner, stack_memory stack) noexcept {
  const std::size_t usable = usable_bytes(stack);
  auto* f = new (static_cast<void*>(stack.low + usable)) fiber(owner, nullptr, false);
  f->stack = stack;
  auto context = boost::fibers::make_worker_context(boost::fibers::launch::post,
                                                    stack_below_block{&owner.stacks(), stack, usable}, [f] { f->run_tasks(); });
  context->set_properties(f);
  f->set_context(context.get());
  return f;  // Boost counts two references: ours ends here, the scheduler on which the runner ends drops the other
}

// Runs on the runner's own stack, from its first resumption to its end. Whatever was read from the worker is stale after
// a task: the task may have moved to another thread.
void fiber::run_tasks() {
  on->arrive();
  while (job != nullptr) {
    runnable* item = std::exchange(job, nullptr);
    while (item != nullptr && item->what == kind::task) {
      execute(static_cast<task&>(*item));
      item = on->pick_local();
    }
    on->retire(static_cast<fiber*>(item));
  }
}

void fiber::execute(task& t) {
  const start_site where = t.where();
  start_file.store(where.file, std::memory_order_relaxed);
  start_line.store(where.line, std::memory_order_relaxed);
  at_work.store(&t, std::memory_order_release);
  try {
    t.run();
  } catch (const boost::context::detail::forced_unwind&) {
    throw;  // Boost destroys a suspended fiber this way; nothing may stop it
  } catch (...) {
    if (owner.driver() == nullptr || !owner.driver()->running()) die_of_escaped_exception(*this);
    owner.driver()->note_escaped(*this);
  }
  task_cache::give_back(&t);
  end_task();
}

void fiber::end_task() noexcept {
  at_work.store(nullptr, std::memory_order_relaxed);
  id.store(0, std::memory_order_relaxed);
  for (void*& slot : slots) slot = nullptr;
  if (name != nullptr) owner.rename(*this, {});
  on->clear_fiber_specific_data(*this);
  on->count_finished();
}

std::uint64_t fiber::ensure_id() noexcept {
  std::uint64_t have = id.load(std::memory_order_relaxed);
  if (have == 0) {
    have = next_id.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t none = 0;
    if (!id.compare_exchange_strong(none, have, std::memory_order_relaxed)) have = none;
  }
  return have;
}

guest_fiber::guest_fiber(scheduler& s, boost::fibers::context* ctx) noexcept : fiber(s, ctx, true) {
  inside_boost = true;
  start_file.store("boost::fibers::fiber", std::memory_order_relaxed);
  owner.count_guest(+1);
}

guest_fiber::~guest_fiber() {
  owner.count_guest(-1);
}

}  // namespace spool::detail
