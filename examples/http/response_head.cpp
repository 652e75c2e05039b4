#include "http/response_head.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <string_view>

namespace http {
namespace {

void append_number(std::string& out, unsigned value) {
  std::array<char, 12> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_two_digits(std::string& out, long value) {
  out.push_back(static_cast<char>('0' + value / 10));
  out.push_back(static_cast<char>('0' + value % 10));
}

/// "Sun, 06 Nov 1994 08:49:37 GMT"
void append_date(std::string& out, std::chrono::sys_seconds now) {
  using namespace std::chrono;
  static constexpr std::string_view days = "SunMonTueWedThuFriSat";
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const sys_days day = floor<std::chrono::days>(now);
  const year_month_day date(day);
  const hh_mm_ss time(now - day);
  out.append(days.substr(weekday(day).c_encoding() * 3, 3)).append(", ");
  append_two_digits(out, static_cast<long>(static_cast<unsigned>(date.day())));
  out.append(" ").append(months.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3)).append(" ");
  append_number(out, static_cast<unsigned>(static_cast<int>(date.year())));
  out.push_back(' ');
  append_two_digits(out, time.hours().count());
  out.push_back(':');
  append_two_digits(out, time.minutes().count());
  out.push_back(':');
  append_two_digits(out, time.seconds().count());
  out.append(" GMT");
}

}  // namespace

std::string response_head(const response& res) {
  std::string out;
  out.reserve(256);
  out.append(res.version() == 10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  append_number(out, res.result_int());
  out.append(" ").append(std::string_view(res.reason())).append("\r\nDate: ");
  append_date(out, std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  out.append("\r\n");
  for (const auto& field : res) {
    out.append(std::string_view(field.name_string())).append(": ");
    out.append(std::string_view(field.value())).append("\r\n");
  }
  out.append("\r\n");
  return out;
}

}  // namespace http
