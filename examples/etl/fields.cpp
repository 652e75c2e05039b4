#include "fields.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "query.hpp"

namespace etl {
namespace {

namespace json = boost::json;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

std::string ask_geo(const event& e) { return "?country=" + encode_query(e.country); }
std::string ask_customer(const event& e) { return "?id=" + encode_query(e.customer); }
std::string ask_price(const event& e) {
  return "?country=" + encode_query(e.country) + "&amount=" + std::to_string(e.amount);
}

}  // namespace

const std::array<field, field_count> fields{{{"geo", "region", false, ask_geo},
                                             {"customer", "tier", false, ask_customer},
                                             {"price", "price", true, ask_price}}};

std::optional<std::size_t> find_field(std::string_view service) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].service == service) return i;
  }
  return std::nullopt;
}

std::optional<field_value> parse_answer(const field& asked, std::string_view body) {
  json::error_code failed;
  const json::value parsed = json::parse(view(body), failed);
  const json::object* members = failed ? nullptr : parsed.if_object();
  const json::value* value = members == nullptr ? nullptr : members->if_contains(view(asked.column));
  if (value == nullptr) return std::nullopt;
  if (value->is_null()) return field_value();
  if (asked.is_integer) return value->is_int64() ? std::optional<field_value>(value->get_int64()) : std::nullopt;
  const json::string* text = value->if_string();
  // PostgreSQL takes every text but one with a zero in it.
  if (text == nullptr || text->find('\0') != text->npos) return std::nullopt;
  return std::string(text->data(), text->size());
}

std::string to_answer(const field& asked, const field_value& value) {
  json::object members;
  json::value& member = members[view(asked.column)];
  if (const auto* number = std::get_if<std::int64_t>(&value)) member = *number;
  if (const auto* text = std::get_if<std::string>(&value)) member = json::string(view(*text));
  return json::serialize(members);
}

}  // namespace etl
