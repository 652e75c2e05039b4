// runtime_options: defaults and what is refused.
#include <support/runtimes.hpp>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

namespace {

using namespace spool;
using namespace std::chrono_literals;

/// Sets an environment variable while it lives.
class environment {
 public:
  environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) before_ = old;
    ::setenv(name, value, 1);
  }
  ~environment() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

std::string refusal(runtime_options options) {
  try {
    const runtime rt(std::move(options));
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST(RuntimeOptions, StacksOfNoBytesAreRefused) {
  EXPECT_TRUE(contains(refusal({.stack_bytes = 0}), "stack_bytes is 0"));
}

TEST(RuntimeOptions, StacksTooSmallOrTooLargeAreRefused) {
  EXPECT_TRUE(contains(refusal({.stack_bytes = 1}), "stack_bytes"));
  EXPECT_TRUE(contains(refusal({.stack_bytes = ~std::size_t{0}}), "stack_bytes"));
}

TEST(RuntimeOptions, AbsurdNumbersOfThreadsAreRefused) {
  EXPECT_TRUE(contains(refusal({.threads = 1'000'000}), "threads is 1000000"));
  EXPECT_TRUE(contains(refusal({.threads = static_cast<std::size_t>(-1)}), "threads"));
}

TEST(RuntimeOptions, NumberOfBlockingThreadsIsChecked) {
  EXPECT_TRUE(contains(refusal({.blocking_threads = 0}), "blocking_threads"));
  EXPECT_TRUE(contains(refusal({.blocking_threads = static_cast<std::size_t>(-1)}), "blocking_threads"));
}

TEST(RuntimeOptions, NegativeStopTimeoutIsRefused) {
  EXPECT_TRUE(contains(refusal({.stop_timeout = -1ms}), "stop_timeout"));
}

TEST(RuntimeOptions, ThreadsComeFromTheEnvironment) {
  const environment set("SPOOL_THREADS", "3");
  const runtime rt;
  EXPECT_EQ(rt.threads(), 3u);
}

TEST(RuntimeOptions, TheOptionWinsOverTheEnvironment) {
  const environment set("SPOOL_THREADS", "3");
  const runtime rt({.threads = 2});
  EXPECT_EQ(rt.threads(), 2u);
}

TEST(RuntimeOptions, AnEmptyVariableCountsAsUnset) {
  const environment set("SPOOL_THREADS", "");
  const runtime rt;
  EXPECT_GE(rt.threads(), 1u);
}

TEST(RuntimeOptions, BadValuesInTheEnvironmentAreRefusedAndQuoted) {
  for (const char* bad : {"0", "-1", "many", "2 ", " 2", "2x", "1e3", "99999999", "99999999999999999999999"}) {
    const environment set("SPOOL_THREADS", bad);
    const std::string why = refusal({});
    EXPECT_TRUE(contains(why, "SPOOL_THREADS") && contains(why, bad)) << bad << ": " << why;
  }
}

TEST(RuntimeOptions, SmallestAndOddStackSizesWork) {
  for (const std::size_t bytes : {std::size_t{16384}, std::size_t{16385}, std::size_t{100'001}}) {
    runtime rt({.threads = 2, .stack_bytes = bytes});
    EXPECT_EQ(rt.run([] { return async([] { return 5; }).get(); }), 5);
  }
}

TEST(RuntimeOptions, LargeStacksHoldLargeFrames) {
  runtime rt({.threads = 1, .stack_bytes = std::size_t{4} << 20});
  EXPECT_EQ(rt.run([] {
    volatile char large[3 << 20];
    large[0] = 1;
    large[sizeof large - 1] = 2;
    return large[0] + large[sizeof large - 1];
  }),
            3);
}

TEST(RuntimeOptions, ALongOrEmptyNameDoesNoHarm) {
  for (const std::string& name : {std::string(), std::string(200, 'n')}) {
    runtime rt({.threads = 1, .name = name});
    EXPECT_EQ(rt.run([] { return 1; }), 1);
  }
}

}  // namespace
