#include "base/log.hpp"

#include <spdlog/sinks/ostream_sink.h>

#include <gtest/gtest.h>

#include <sstream>

namespace {

std::shared_ptr<spdlog::logger> logger_into(std::ostringstream& text, const char* name) {
  return std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
}

TEST(Log, GoesToStandardErrorByItself) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  spool::detail::log()->warn("a word");
  spool::detail::log()->flush();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("a word"), std::string::npos);
}

TEST(Log, GoesWhereTheApplicationLogs) {
  std::ostringstream text;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(logger_into(text, "application"));
  spool::detail::log()->warn("a word");
  spdlog::set_default_logger(before);
  EXPECT_NE(text.str().find("a word"), std::string::npos);
}

TEST(Log, AnApplicationMayNameALoggerForSpoolAlone) {
  std::ostringstream text;
  spdlog::register_logger(logger_into(text, "spool"));
  spool::detail::log()->warn("a word");
  spdlog::drop("spool");
  EXPECT_NE(text.str().find("a word"), std::string::npos);
}

}  // namespace
