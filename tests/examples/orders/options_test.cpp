// The command line.

#include <getopt.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "options.hpp"

namespace {

using namespace orders;

class arguments {
 public:
  explicit arguments(std::vector<std::string> words) : words_(std::move(words)) {
    words_.insert(words_.begin(), "orders");
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  parse_result parsed() {
    ::optind = 0;  // a fresh start for getopt_long
    return parse(static_cast<int>(words_.size()), pointers_.data(), chosen, complaint);
  }
  options chosen;
  std::string complaint;

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

TEST(OrdersOptions, EachRoleTakesItsOwn) {
  arguments both({"--rate", "7", "--seconds", "8", "--connections", "9", "--symbols", "10"});
  EXPECT_EQ(both.parsed(), parse_result::run);
  EXPECT_EQ(both.chosen.part, options::role::both);
  EXPECT_EQ(both.chosen.load.per_second, 7u);
  EXPECT_EQ(both.chosen.load.seconds, 8u);
  EXPECT_EQ(both.chosen.load.connections, 9u);
  EXPECT_EQ(both.chosen.load.symbols, 10u);
  arguments serve({"--serve", "--port", "65535"});
  EXPECT_EQ(serve.parsed(), parse_result::run);
  EXPECT_EQ(serve.chosen.part, options::role::serve);
  EXPECT_EQ(serve.chosen.port, 65535);
  arguments connect({"--connect", "::1:80"});
  EXPECT_EQ(connect.parsed(), parse_result::run);
  EXPECT_EQ(connect.chosen.host, "::1");
  EXPECT_EQ(connect.chosen.to_port, "80");
}

TEST(OrdersOptions, ComplainsAboutTheRest) {
  const std::vector<std::vector<std::string>> wrong = {{"--rate", "0"},
                                                       {"--rate", "x"},
                                                       {"--rate"},
                                                       {"--port", "65536"},
                                                       {"--port", ""},
                                                       {"--connect", "host"},
                                                       {"--connect", ":1"},
                                                       {"--connect", "host:0"},
                                                       {"--connect", "host:1x"},
                                                       {"--serve", "--connect", "a:1"},
                                                       {"--quick"},
                                                       {"-x"},
                                                       {"file"},
                                                       {"--rate", "10000000", "--seconds", "3600"}};
  for (const auto& words : wrong) {
    arguments given(words);
    EXPECT_EQ(given.parsed(), parse_result::bad) << words.front();
    EXPECT_NE(given.complaint, "") << words.front();
  }
}

}  // namespace
