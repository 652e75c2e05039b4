// What the pipeline's helpers say to a call that cannot be served.
#include <spool/pipeline/batch.hpp>
#include <spool/pipeline/detail/input.hpp>
#include <spool/pipeline/fan_out.hpp>
#include <spool/pipeline/parallel.hpp>

#include <stdexcept>
#include <string>

namespace spool::detail {

void throw_nil_input(const char* taker) {
  throw std::invalid_argument(std::string(taker) + ": a nil channel never has a value; give one made with a capacity");
}

void throw_no_outputs() { throw std::invalid_argument("spool::fan_out into 0 receivers: give it at least 1"); }

void throw_empty_batches() { throw std::invalid_argument("spool::batch of at most 0 items: give it at least 1"); }

void check_parallel(std::size_t workers, bool counted, const char* operation) {
  constexpr std::size_t most = 1'048'576;
  require_scheduler(operation);
  if (workers == 0) throw std::invalid_argument(std::string(operation) + " with 0 workers: give it at least 1");
  if (counted || workers <= most) return;
  throw std::invalid_argument(std::string(operation) + " with " + std::to_string(workers) +
                              " workers on a range of unknown size; give it 1 to 1,048,576");
}

}  // namespace spool::detail
