#include "asan_stacks.hpp"

#ifdef BOOST_USE_ASAN
#include <sanitizer/asan_interface.h>

#include <dlfcn.h>
#include <ucontext.h>

namespace {

using swap = int(ucontext_t*, const ucontext_t*);

swap* swap_of_libc() noexcept {
  void* libc = ::dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  return reinterpret_cast<swap*>(::dlsym(libc, "swapcontext"));
}

}  // namespace

extern "C" [[gnu::visibility("hidden")]] int swapcontext(ucontext_t* from, const ucontext_t* to) noexcept {
  static swap* const real = swap_of_libc();
  return real(from, to);
}

void spool::detail::forget_variables(const stack_memory& stack) noexcept {
  __asan_unpoison_memory_region(stack.low, stack.bytes);
}

#else
void spool::detail::forget_variables(const stack_memory&) noexcept {}
#endif
