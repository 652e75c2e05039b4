#include <spool/net/detail/fiber_operation.hpp>

#include <spool/net/io_context.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <algorithm>
#include <chrono>

namespace spool::detail {

/// The function that emits; announces when it has run, or when it is destroyed instead.
class fiber_operation_base::emission {
 public:
  emission(fiber_operation_base& op, completion& over) noexcept : op_(&op), over_(&over) {}
  emission(emission&& other) noexcept : op_(other.op_), over_(std::exchange(other.over_, nullptr)) {}
  emission& operator=(emission&&) = delete;
  ~emission() {
    if (over_ != nullptr) over_->announce();
  }
  void operator()() noexcept { op_->emit_cancellation(); }

 private:
  fiber_operation_base* op_;
  completion* over_;
};

[[gnu::noinline]] fiber_operation_base::~fiber_operation_base() = default;

bool fiber_operation_base::may_begin() noexcept {
  aborted_ = ctx_ != nullptr && ctx_->done();
  return !aborted_;
}

void fiber_operation_base::emit_cancellation() noexcept {
  if (!completed_.announced()) signal_.emit(boost::asio::cancellation_type::all);
}

void fiber_operation_base::cancel(const operation_executor& where) noexcept {
  boost::asio::any_io_executor executor = where.get();
  // An operation that names no executor of its own: its handlers run where its parts' do, most likely in our
  // io_context.
  const bool anywhere = !executor || executor.target<boost::asio::system_executor>() != nullptr;
  completion over;
  try {
    if (anywhere && on_fiber()) executor = io_context().get_executor();
    if (!executor) return emit_cancellation();
    boost::asio::post(executor, emission(*this, over));
  } catch (...) {
    return;  // no memory: the next attempt may have some
  }
  over.wait(nullptr, site());
}

void fiber_operation_base::wait(const operation_executor& where) noexcept {
  using namespace std::chrono_literals;
  if (completed_.wait(ctx_, site())) return;
  // A composed operation may be between two of its parts just then, and miss it: told again, more and more seldom.
  for (auto patience = 10ms;; patience = std::min<std::chrono::milliseconds>(patience * 2, 1000ms)) {
    cancel(where);
    if (completed_.wait_until(clock::now() + patience, site())) return;
  }
}

}  // namespace spool::detail
