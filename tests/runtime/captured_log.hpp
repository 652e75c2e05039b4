// What spool says, as a test sees it.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace spool_test {

/// Takes the default logger's place while it lives and keeps what is logged.
class captured_log {
 public:
  captured_log() : sink_(std::make_shared<sink>()), before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("captured", sink_));
  }
  ~captured_log() { spdlog::set_default_logger(before_); }
  captured_log(const captured_log&) = delete;
  captured_log& operator=(const captured_log&) = delete;

  std::string text() const { return sink_->text(); }
  bool has(const std::string& part) const { return text().find(part) != std::string::npos; }

 private:
  class sink : public spdlog::sinks::base_sink<std::mutex> {
   public:
    std::string text() {
      const std::lock_guard lock(mutex_);
      return text_;
    }

   private:
    void sink_it_(const spdlog::details::log_msg& message) override {
      text_.append(message.payload.data(), message.payload.size()).push_back('\n');
    }
    void flush_() override {}
    std::string text_;
  };

  std::shared_ptr<sink> sink_;
  std::shared_ptr<spdlog::logger> before_;
};

/// For the child of a death test: gtest looks at stderr only.
inline void log_to_stderr() {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("stderr", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
}

}  // namespace spool_test
