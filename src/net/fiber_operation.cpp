#include <spool/net/detail/fiber_operation.hpp>

namespace spool::detail {

bool fiber_operation_base::may_begin() noexcept {
  aborted_ = ctx_ != nullptr && ctx_->done();
  return !aborted_;
}

/// The function that emits; announces when it has run, or when it is destroyed instead.
class fiber_operation_base::emission {
 public:
  explicit emission(fiber_operation_base& op) noexcept : op_(&op) {}
  emission(emission&& other) noexcept : op_(std::exchange(other.op_, nullptr)) {}
  emission& operator=(emission&&) = delete;
  ~emission() {
    if (op_ != nullptr) op_->emitted_.announce();
  }
  void operator()() noexcept { op_->emit_cancellation(); }

 private:
  fiber_operation_base* op_;
};

void fiber_operation_base::emit_cancellation() noexcept {
  // On the I/O object's executor the operation does not complete meanwhile; once it has, its I/O object may be gone.
  if (!completed_.announced()) signal_.emit(boost::asio::cancellation_type::all);
}

void fiber_operation_base::wait(const operation_executor& where) noexcept {
  if (completed_.wait(ctx_, site())) return;
  if (const auto& executor = where.get()) {
    boost::asio::post(executor, emission(*this));
    emitted_.wait(nullptr, site());
  } else {
    emit_cancellation();
  }
  completed_.wait(nullptr, site());
}

}  // namespace spool::detail
