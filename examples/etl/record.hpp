#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "event.hpp"
#include "fields.hpp"
#include "inputs.hpp"
#include "position.hpp"

namespace etl {

// Where a line came from. The input outlives the pipeline.
struct origin {
  const input* from = nullptr;
  position end;  // of its input, once the line has been dealt with; end.lines is the line's number
};

struct raw_line {
  origin where;
  std::string text;
  bool too_long = false;
};

// An event on its way to the database, or a line that is none: that goes there, too, as it moves the position.
struct record {
  origin where;
  std::variant<event, rejection> what = {};
  std::array<field_value, field_count> values = {};
  std::uint8_t degraded = 0;  // bit i: fields[i] is NULL because its service gave no answer
};

using record_batch = std::vector<record>;  // in the order of the input

// "geo,price"
std::string degraded_services(const record& r);

}  // namespace etl
