#include "payment.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>

namespace payments {
namespace {

namespace json = boost::json;

complaint invalid(std::string why) { return {false, std::move(why)}; }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Null: the member is missing, or no text.
const json::string* text_member(const json::object& from, std::string_view name) {
  const json::value* member = from.if_contains(name);
  return member == nullptr ? nullptr : member->if_string();
}

std::variant<payment, complaint> check(const json::object& from) {
  payment p;
  const json::string* id = text_member(from, "id");
  if (id == nullptr || !is_id({id->data(), id->size()})) {
    return invalid("id must be a text of 1 to " + std::to_string(most_id_bytes) + " bytes without control characters");
  }
  const json::value* amount = from.if_contains("amount");
  if (amount == nullptr || !amount->is_int64() || amount->get_int64() <= 0) {
    return invalid("amount must be an integer above 0, in minor units");
  }
  const json::string* currency = text_member(from, "currency");
  const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (currency == nullptr || currency->size() != 3 || !std::ranges::all_of(*currency, capital)) {
    return invalid("currency must be three capital letters, such as EUR");
  }
  p.id.assign(id->data(), id->size());
  p.amount = amount->get_int64();
  p.currency.assign(currency->data(), currency->size());
  return p;
}

}  // namespace

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= most_id_bytes && std::ranges::none_of(text, is_control);
}

std::variant<payment, complaint> parse_payment(std::string_view body) {
  std::array<unsigned char, 1024> room;  // more comes from the heap
  json::monotonic_resource memory(room.data(), room.size());
  json::error_code ec;
  const json::value parsed = json::parse(json::string_view(body.data(), body.size()), ec, &memory);
  if (ec) return complaint{true, "the body is not JSON: " + ec.message()};
  const json::object* members = parsed.if_object();
  if (members == nullptr) return invalid("the body must be a JSON object");
  return check(*members);
}

std::string to_json(const payment& p) {
  std::array<unsigned char, 512> room;
  json::monotonic_resource memory(room.data(), room.size());
  return json::serialize(json::value({{"id", p.id}, {"amount", p.amount}, {"currency", p.currency}}, &memory));
}

std::string error_json(std::string_view why) {
  return json::serialize(json::value({{"error", json::string_view(why.data(), why.size())}}));
}

}  // namespace payments
