#include "failure.hpp"

#include <sqlite3.h>

namespace db {
namespace {

struct failure_category final : std::error_category {
  const char* name() const noexcept override { return "database"; }
  std::string message(int value) const override {
    switch (static_cast<failure>(value)) {
      case failure::connection_lost: return "no connection to the database";
      case failure::unique_violation: return "the key is taken";
      case failure::constraint_violation: return "a constraint is violated";
      case failure::contended: return "in use by another transaction";
    }
    return "unknown database failure";
  }
};

struct sqlite_error_category final : std::error_category {
  const char* name() const noexcept override { return "sqlite"; }
  std::string message(int value) const override { return sqlite3_errstr(value); }

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (value) {
      case SQLITE_CONSTRAINT_UNIQUE:
      case SQLITE_CONSTRAINT_PRIMARYKEY:
      case SQLITE_CONSTRAINT_ROWID: return failure::unique_violation;
    }
    switch (value & 0xff) {  // the primary code
      case SQLITE_CONSTRAINT: return failure::constraint_violation;
      case SQLITE_BUSY:
      case SQLITE_LOCKED: return failure::contended;
    }
    return {value, *this};
  }
};

constexpr int base = 36;
constexpr int state_length = 5;

constexpr int encoded(std::string_view state) {
  int value = 0;
  for (const char c : state) value = value * base + (c >= '0' && c <= '9' ? c - '0' : c - 'A' + 10);
  return value;
}

std::string decoded(int value) {
  std::string state(state_length, '0');
  for (auto at = state.rbegin(); at != state.rend(); ++at, value /= base) {
    *at = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value % base];
  }
  return state;
}

struct postgres_error_category final : std::error_category {
  const char* name() const noexcept override { return "postgres"; }
  std::string message(int value) const override { return "SQLSTATE " + decoded(value); }

  std::error_condition default_error_condition(int value) const noexcept override {
    constexpr int per_class = base * base * base;  // the first two characters name a class
    switch (value) {
      case encoded("23505"): return failure::unique_violation;
      case encoded("40001"):  // serialization_failure
      case encoded("40P01"):  // deadlock_detected
      case encoded("55P03"):  // lock_not_available
        return failure::contended;
      case encoded("57P01"):  // admin_shutdown
      case encoded("57P02"):  // crash_shutdown
      case encoded("57P03"):  // cannot_connect_now
        return failure::connection_lost;
    }
    switch (value / per_class) {
      case encoded("08"): return failure::connection_lost;
      case encoded("23"): return failure::constraint_violation;
    }
    return {value, *this};
  }
};

}  // namespace

std::error_condition make_error_condition(failure f) noexcept {
  static const failure_category category;
  return {static_cast<int>(f), category};
}

const std::error_category& sqlite_category() noexcept {
  static const sqlite_error_category category;
  return category;
}

const std::error_category& postgres_category() noexcept {
  static const postgres_error_category category;
  return category;
}

std::error_code sqlstate_code(std::string_view state) noexcept { return {encoded(state), postgres_category()}; }

std::string sqlstate(const spool::error& e) {
  return e.code().category() == postgres_category() ? decoded(e.code().value()) : std::string();
}

}  // namespace db
