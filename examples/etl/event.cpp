#include "event.hpp"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>

namespace etl {
namespace {

namespace json = boost::json;

constexpr std::size_t most_text_bytes = 256;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Says what is wrong, if anything is.
std::optional<rejection> read_text(const json::object& from, const char* name, std::string& into) {
  const json::value* member = from.if_contains(name);
  const json::string* text = member == nullptr ? nullptr : member->if_string();
  if (text == nullptr || text->empty() || text->size() > most_text_bytes || std::ranges::any_of(*text, is_control)) {
    return rejection{std::string(name) + " must be a text of 1 to " + std::to_string(most_text_bytes) +
                     " bytes without control characters"};
  }
  into.assign(text->data(), text->size());
  return std::nullopt;
}

}  // namespace

std::variant<event, rejection> parse_event(std::string_view line) {
  std::array<unsigned char, 1024> room;  // more comes from the heap
  json::monotonic_resource memory(room.data(), room.size());
  json::error_code failed;
  const json::value parsed = json::parse(json::string_view(line.data(), line.size()), failed, &memory);
  if (failed) return rejection{"not JSON: " + failed.message()};
  const json::object* members = parsed.if_object();
  if (members == nullptr) return rejection{"not a JSON object"};

  event e;
  if (auto wrong = read_text(*members, "id", e.id)) return *wrong;
  if (auto wrong = read_text(*members, "customer", e.customer)) return *wrong;
  if (auto wrong = read_text(*members, "country", e.country)) return *wrong;
  const json::value* amount = members->if_contains("amount");
  if (amount == nullptr || !amount->is_int64()) return rejection{"amount must be an integer of 64 bits"};
  e.amount = amount->get_int64();
  return e;
}

}  // namespace etl
