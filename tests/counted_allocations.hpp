#pragma once
// Counts what a test program allocates while `counting` is set. It replaces the program's operator new: include it in
// one file of a program alone.
#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<bool> counting{false};
std::atomic<int> allocations{0};
}  // namespace

// Every allocation of the program passes here, in whatever thread.
__attribute__((noinline)) void* operator new(std::size_t n) {
  if (counting) ++allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::size_t) noexcept { std::free(p); }
