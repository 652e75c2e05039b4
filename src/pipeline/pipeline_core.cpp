#include <spool/pipeline/detail/pipeline_core.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <limits>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace spool::detail {

// Counts as ended however its function ends: run, stopped, or dropped with the runtime.
class pipeline_core::closer {
 public:
  explicit closer(pipeline_core& core) : core_(&core) { core_->closer_.add(); }
  closer(closer&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ~closer() {
    if (core_ != nullptr) core_->closer_.done();
  }
  void operator()() noexcept { core_->close_all(); }

 private:
  pipeline_core* core_;
};

pipeline_core::pipeline_core(const context& parent, std::string name)
    : scheduler_(&require_scheduler("spool::pipeline")),
      name_(std::move(name)),
      scope_(with_cancel(parent)),
      stop_closer_(after_func(scope_.ctx(), closer(*this))) {}

pipeline_core::~pipeline_core() {
  cancel();
  end();
}

void pipeline_core::check_open(const char* operation, const std::string& stage) {
  const std::lock_guard guard(lock_);
  if (!waiting_) return;
  throw std::logic_error(std::string("spool::pipeline::") + operation + " \"" + stage +
                         "\" after wait: add every stage first, or make another pipeline");
}

void pipeline_core::check_workers(std::size_t workers, const std::string& stage) {
  constexpr std::size_t most = 1'048'576;
  if (workers >= 1 && workers <= most) return;
  throw std::invalid_argument("spool::pipeline: stage \"" + stage + "\" has " + std::to_string(workers) +
                              " workers; give it 1 to 1,048,576");
}

void pipeline_core::check_capacity(std::size_t capacity, const std::string& stage) {
  if (capacity <= std::numeric_limits<std::uint32_t>::max()) return;
  throw std::invalid_argument("spool::pipeline: stage \"" + stage + "\" has a capacity of " + std::to_string(capacity) +
                              "; a channel holds at most 2^32 - 1 values");
}

void pipeline_core::entry::apply(use how) noexcept {
  switch (how) {
    case use::makes: made = true; break;
    case use::reads:
      was_read = true;
      ++readers;
      break;
    case use::writes:
      was_written = true;
      ++writers;
      break;
  }
}

pipeline_core::entry* pipeline_core::find(channel_base& ch) noexcept {
  for (entry& e : channels_) {
    if (e.channel.base() == &ch) return &e;
  }
  return nullptr;
}

void pipeline_core::add(channel_base& ch, use how) {
  ch.retain();
  std::list<entry> fresh;  // before the lock: it allocates
  fresh.push_back({.channel = channel_handle(&ch)});
  bool late = false;
  {
    const std::lock_guard guard(lock_);
    entry* const known = find(ch);
    if (known != nullptr) {
      known->apply(how);
    } else if (!frozen_) {
      fresh.front().apply(how);
      channels_.splice(channels_.end(), fresh);
    }
    // Dead letters go on to a channel that is known: wait() closes that. Nobody would close one that is not.
    if (frozen_) late = how != use::writes || known == nullptr;
  }
  if (late) ch.close();
}

void pipeline_core::remove(channel_base& ch, use how) noexcept {
  bool close = false;
  {
    const std::lock_guard guard(lock_);
    if (entry* known = find(ch)) {
      --(how == use::reads ? known->readers : known->writers);
      close = waiting_ && known->used_up();
    }
  }
  if (close) ch.close();
}

bool pipeline_core::made(channel_base& ch) noexcept {
  const std::lock_guard guard(lock_);
  const entry* known = find(ch);
  return known != nullptr && known->made;
}

void pipeline_core::close_all() noexcept {
  {
    const std::lock_guard guard(lock_);
    frozen_ = true;
  }
  close_where([](const entry& e) { return e.made || e.was_read; });
}

template <class Condition>
void pipeline_core::close_where(Condition condition) noexcept {
  for (entry& e : channels_) {
    bool close = false;
    {
      const std::lock_guard guard(lock_);
      close = condition(e);
    }
    if (close) e.channel.base()->close();
  }
}

void pipeline_core::fail(error reason) noexcept {
  {
    const std::lock_guard guard(lock_);
    if (first_) return;
    first_ = ctx().done() ? ctx().err() : reason;
    reason = first_;
  }
  scope_.cancel(std::move(reason));
}

error pipeline_core::wait() {
  {
    const std::lock_guard guard(lock_);
    if (!waiting_ && channels_.empty()) first_ = ctx().err();  // no stage that could tell
    waiting_ = frozen_ = true;
  }
  close_where([](const entry& e) { return e.used_up(); });
  end();
  error first;
  {
    const std::lock_guard guard(lock_);
    first = first_;
  }
  scope_.cancel(first);
  return first;
}

void pipeline_core::end() noexcept {
  fibers_.wait();
  stop_closer_();
  closer_.wait();
}

void name_stage_fiber(const pipeline_core& core, const std::string& stage) {
  this_fiber::set_name(core.name() + "/" + stage);
}

}  // namespace spool::detail
