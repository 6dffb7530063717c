// Launches the blocks of row_ring.h.
#pragma once

#include "launch.h"
#include "row_ring.h"

namespace bend {

// Waits until all of a thread's copies are done except those of the last `kLeft` stages.
template <int kLeft>
__device__ void wait_for_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

__device__ inline void end_of_stage() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <typename Work>
__global__ void __launch_bounds__(Work::R::kThreads, Work::R::kLeastBlocks)
    walk_down(const typename Work::Call call, const RingCut cut) {
  using R = typename Work::R;
  __shared__ alignas(kPackBytes) typename R::Element stages[R::kStages][R::kStage];
  const typename Work::Place place(cut, call.x, blockIdx.x);
  typename Work::Column column(call, cut, place, threadIdx.x);
  if constexpr (R::kShared > 0) {
    __shared__ alignas(kPackBytes) typename R::Element shared[R::kShared];
    column.shared = shared;
  }
#pragma unroll 1
  for (int s = 0; s < R::kStages - 1; ++s) {
    place.fetch(cut, s, threadIdx.x, stages[s]);
    end_of_stage();
  }
#pragma unroll 1
  for (int s = 0; s < place.steps; ++s) {
    wait_for_copies<R::kStages - 2>();
    __syncthreads();  // all threads' rows have arrived, and the stage before this one is free
    place.fetch(cut, s + R::kStages - 1, threadIdx.x, stages[(s + R::kStages - 1) % R::kStages]);
    end_of_stage();
    if (!column.is_idle()) Work::work(call, cut, column, s, stages[s % R::kStages]);
  }
}

// Returns false if there are more blocks than can be launched.
template <typename Work>
bool try_ring(const typename Work::Call& call, cudaStream_t stream) {
  const RingCut cut = Work::cut(call);
  if (cut.count > kMostBlocksInRow) return false;
  walk_down<Work><<<cut.count, Work::R::kThreads, 0, stream>>>(call, cut);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
  return true;
}

}  // namespace bend
