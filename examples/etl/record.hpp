#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "event.hpp"
#include "fields.hpp"
#include "input_line.hpp"
#include "inputs.hpp"
#include "position.hpp"

namespace etl {

// Where a line came from. The input outlives the pipeline.
struct origin {
  const input* from = nullptr;
  std::uint64_t line = 0;  // its number, counted from 1
  position end = {};       // of the input, once the line has been dealt with
};

// An event on its way to the database, or a line that is none: that goes there, too, as it moves the position.
struct record {
  origin where;
  std::variant<event, rejection> what = {};
  std::array<field_value, field_count> values = {};
  std::uint8_t degraded = 0;  // bit i: fields[i] is NULL because its service gave no answer
  bool unfinished = false;    // a rejection that is not written: somebody may be about to write the line's other half
};

using record_batch = std::vector<record>;  // in the order of the input

// What a line says. Its services have not been asked yet.
record to_record(const input_line& from);

// "geo,price"
std::string degraded_services(const record& r);

}  // namespace etl
