// Stands in for <cuda_runtime.h>, so that a CPU runs CUDA's sources as they are launched: a block's threads are fibers
// that go on in a random order wherever they wait for one another, and copies in the background arrive at once or as
// late as they may. What is read before it is there, or overwritten while it is needed, shows in the results; threads
// that wait for one another in vain end the process.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define threadIdx (fibers::Number{fibers::current->number})
#define blockIdx (fibers::block)
#define __syncthreads() fibers::wait_in(fibers::kBlock)
#define __syncwarp() fibers::wait_in(fibers::kWarp)
#define BEND_HAS_WARPS

using cudaStream_t = void*;

struct dim3 {
  unsigned x, y;
  dim3(unsigned x = 0, unsigned y = 1) : x(x), y(y) {}
};

namespace fibers {

enum State { kReady, kBlock, kWarp, kDone };  // between the first and the last: whom it waits for

constexpr size_t kStackBytes = 1 << 16;
constexpr unsigned kWarpThreads = 32;

using Work = std::function<void()>;

struct Number {
  unsigned x;
};

struct Fiber {
  unsigned number;
  State state;
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  std::vector<Work> begun;               // copies of the stage that is not ended yet
  std::deque<std::vector<Work>> ended;   // of those that are, and on their way
};

inline Fiber* current;
inline ucontext_t home;
inline dim3 block;
inline float* shared;  // of a size that the launch tells
inline const Work* kernel;
inline std::mt19937 chance;

inline void wait_in(State state) {
  current->state = state;
  swapcontext(&current->context, &home);
}

inline void begin() {
  (*kernel)();
  wait_in(kDone);
}

inline void copy(Work work) {
  if (chance() % 2) return work();
  current->begun.push_back(std::move(work));
}

inline void end_of_stage() { current->ended.push_back(std::exchange(current->begun, {})); }

// Until no more than `left` stages are on their way.
inline void wait_for_copies(size_t left) {
  for (; current->ended.size() > left; current->ended.pop_front()) {
    for (const Work& work : current->ended.front()) work();
  }
}

[[noreturn]] inline void give_up(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::abort();
}

// Lets those go on that all wait for one another.
inline bool release(Fiber* from, Fiber* to, State state) {
  if (!std::all_of(from, to, [=](const Fiber& fiber) { return fiber.state == state; })) return false;
  for (; from != to; ++from) from->state = kReady;
  return true;
}

inline void run_block(std::vector<Fiber>& threads) {
  for (Fiber& fiber : threads) {
    fiber.state = kReady;
    fiber.begun.clear();
    fiber.ended.clear();
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    makecontext(&fiber.context, begin, 0);
  }
  std::vector<size_t> order(threads.size());
  std::iota(order.begin(), order.end(), 0);
  Fiber *const first = threads.data(), *const last = first + threads.size();
  for (bool goes_on = true; goes_on;) {
    std::shuffle(order.begin(), order.end(), chance);
    for (const size_t i : order) {
      if (first[i].state != kReady) continue;
      current = first + i;
      swapcontext(&home, &current->context);
    }
    goes_on = release(first, last, kBlock);
    for (Fiber* warp = first; warp < last; warp += kWarpThreads) {
      goes_on |= release(warp, std::min(warp + kWarpThreads, last), kWarp);
    }
  }
  if (std::any_of(first, last, [](const Fiber& fiber) { return fiber.state != kDone; })) give_up("a barrier in vain");
}

inline void launch(dim3 grid, int64_t num_threads, int64_t bytes, const Work& work) {
  if (grid.x == 0 || grid.x > INT32_MAX || grid.y == 0 || grid.y > UINT16_MAX || num_threads > 1024 || bytes > 49152) {
    give_up("a launch that no device takes");
  }
  std::vector<Fiber> threads(num_threads);
  for (unsigned i = 0; i < num_threads; ++i) {
    threads[i].number = i;
    threads[i].stack.reset(new char[kStackBytes]);  // not filled with zeros
  }
  std::vector<float> memory(bytes / sizeof(float) + 1, std::numeric_limits<float>::quiet_NaN());
  shared = memory.data();
  kernel = &work;
  for (block.y = 0; block.y < grid.y; ++block.y) {
    for (block.x = 0; block.x < grid.x; ++block.x) run_block(threads);
  }
}

}  // namespace fibers
