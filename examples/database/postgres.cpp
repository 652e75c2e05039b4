#include "postgres.hpp"

#include "postgres_session.hpp"

#include <utility>

namespace db {

postgres::postgres(std::unique_ptr<session> s) noexcept : session_(std::move(s)) {}
postgres::postgres(postgres&&) noexcept = default;
postgres& postgres::operator=(postgres&&) noexcept = default;
postgres::~postgres() = default;

spool::result<postgres> postgres::connect(const spool::context& ctx, const std::string& conninfo) {
  auto made = std::make_unique<session>();
  if (spool::error e = made->connect(ctx, conninfo)) return e;
  return postgres(std::move(made));
}

spool::result<rows> postgres::query(const spool::context& ctx, std::string_view sql,
                                    std::span<const parameter> parameters) {
  const command only{sql, {parameters.begin(), parameters.end()}};
  auto results = session_->run(ctx, std::span(&only, 1));
  if (!results) return results.error();
  return std::move(results->front());
}

spool::result<std::vector<rows>> postgres::batch(const spool::context& ctx, std::span<const command> commands) {
  return session_->run(ctx, commands);
}

spool::error postgres::exec(const spool::context& ctx, const std::string& script) {
  return session_->run_script(ctx, script);
}

bool postgres::alive() noexcept { return session_->alive(); }

bool postgres::reusable() const noexcept { return session_->reusable(); }

}  // namespace db
