// A user's first program: it must build from the outside with spool::spool alone.
#include <spool/spool.hpp>

#include <iostream>

int main() {
  const int sum = spool::run([] {
    const spool::channel<int> numbers{2};
    spool::go([numbers] {
      for (int i = 1; i <= 10; ++i) {
        if (!numbers.send(i)) return;
      }
      numbers.close();
    });
    int total = 0;
    for (const int n : numbers) total += n;
    return total;
  });
  std::cout << sum << '\n';
  return sum == 55 ? 0 : 1;
}
