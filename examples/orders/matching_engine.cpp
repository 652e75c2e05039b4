#include "matching_engine.hpp"

#include <optional>

namespace orders {
namespace {

client_answer reject(client& to, const request& refused, reject_reason why) {
  return {
      &to,
      false,
      {.kind = answer_kind::reject, .id = refused.id, .sent_at = refused.sent_at, .of = refused.kind, .reason = why}};
}

client_answer fill(const order& filled, std::uint32_t price, std::uint32_t quantity, std::uint32_t remaining) {
  return {filled.owner,
          false,
          {.kind = answer_kind::fill,
           .id = filled.id,
           .sent_at = filled.sent_at,
           .way = filled.way,
           .price = price,
           .remaining = remaining,
           .quantity = quantity}};
}

client_answer cancelled(client& to, std::uint64_t id, std::uint64_t sent_at, std::uint32_t quantity) {
  return {&to, false, {.kind = answer_kind::cancelled, .id = id, .sent_at = sent_at, .quantity = quantity}};
}

std::optional<reject_reason> objection(const client& from, const request& wanted, std::size_t symbols) {
  if (wanted.symbol >= symbols) return reject_reason::unknown_symbol;
  if (wanted.price == 0) return reject_reason::bad_price;
  if (wanted.quantity == 0 || wanted.quantity > matching_engine::most_quantity) return reject_reason::bad_quantity;
  if (from.open.contains(wanted.id)) return reject_reason::duplicate_id;
  if (from.open.size() >= matching_engine::most_open) return reject_reason::too_many_open;
  return std::nullopt;
}

}  // namespace

matching_engine::matching_engine(std::size_t symbols) {
  for (std::size_t i = 0; i < symbols; ++i) books_.push_back(std::make_unique<order_book>());
}

void matching_engine::handle(const client_request& given, std::vector<client_answer>& answers) {
  switch (given.kind) {
    case client_request::what::message:
      if (given.body.kind == request_kind::new_order) {
        place(*given.from, given.body, answers);
      } else {
        cancel(*given.from, given.body, answers);
      }
      break;
    case client_request::what::malformed: answers.push_back(reject(*given.from, {}, reject_reason::malformed)); break;
    case client_request::what::gone:
      cancel_all(*given.from, answers);
      answers.push_back({given.from, true, {}});
      break;
  }
}

void matching_engine::place(client& from, const request& wanted, std::vector<client_answer>& answers) {
  ++totals_.orders;
  if (const auto why = objection(from, wanted, books_.size())) {
    ++totals_.rejects;
    answers.push_back(reject(from, wanted, *why));
    return;
  }
  ++totals_.acks;
  totals_.accepted_quantity += wanted.quantity;
  answers.push_back({&from, false, {.kind = answer_kind::ack, .id = wanted.id, .sent_at = wanted.sent_at}});
  order incoming{&from, wanted.id, wanted.sent_at, wanted.way, wanted.price, wanted.quantity};
  trades_.clear();
  const order_book::handle place = books_[wanted.symbol]->submit(incoming, trades_);
  incoming.remaining = wanted.quantity;
  report(incoming, answers);
  if (place != order_book::none) from.open.emplace(wanted.id, open_order{wanted.symbol, place});
}

void matching_engine::report(const order& incoming, std::vector<client_answer>& answers) {
  std::uint32_t left = incoming.remaining;
  for (const trade& made : trades_) {
    left -= made.quantity;
    ++totals_.trades;
    answers.push_back(fill(incoming, made.resting.price, made.quantity, left));
    answers.push_back(fill(made.resting, made.resting.price, made.quantity, made.resting.remaining));
    if (made.resting.remaining == 0) made.resting.owner->open.erase(made.resting.id);
    (incoming.way == side::buy ? totals_.bought : totals_.sold) += made.quantity;
    (made.resting.way == side::buy ? totals_.bought : totals_.sold) += made.quantity;
  }
}

void matching_engine::cancel(client& from, const request& wanted, std::vector<client_answer>& answers) {
  ++totals_.cancels;
  const auto found = from.open.find(wanted.id);
  if (found == from.open.end()) {
    ++totals_.cancel_rejects;
    answers.push_back(reject(from, wanted, reject_reason::unknown_order));
    return;
  }
  const std::uint32_t left = books_[found->second.symbol]->cancel(found->second.place);
  from.open.erase(found);
  totals_.cancelled_quantity += left;
  answers.push_back(cancelled(from, wanted.id, wanted.sent_at, left));
}

void matching_engine::cancel_all(client& from, std::vector<client_answer>& answers) {
  for (const auto& [id, where] : from.open) {
    const std::uint32_t left = books_[where.symbol]->cancel(where.place);
    totals_.cancelled_quantity += left;
    answers.push_back(cancelled(from, id, 0, left));
  }
  from.open.clear();
}

engine_totals matching_engine::totals() const {
  engine_totals now = totals_;
  for (const auto& book : books_) now.resting_quantity += book->resting_quantity();
  return now;
}

}  // namespace orders
