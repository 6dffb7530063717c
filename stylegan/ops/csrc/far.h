// Stores past the caches, for what other threads read next. A core that writes to memory which another core has cached
// must claim it first; between two parts of a processor, that takes ten times as long as writing past both their
// caches. Only for floats, and only where processors have such stores.
#pragma once

#include <torch/csrc/stable/ops.h>

#include <cstdint>
#include <type_traits>

#include "lanes.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace bend {

// Whether memory at `to` is aligned to vectors, as stores past the caches require.
inline bool may_go_far(const void* to) { return reinterpret_cast<uintptr_t>(to) % sizeof(Floats) == 0; }

template <typename T>
inline void store(T* to, vector_t<T> v, bool is_far) {
  if constexpr (std::is_same_v<T, float>) {
#if defined(__AVX512F__)
    if (is_far) return _mm512_stream_ps(to, reinterpret_cast<__m512>(v));
#elif defined(__AVX__)
    if (is_far) {
      _mm256_stream_ps(to, reinterpret_cast<__m256>(v.lo));
      return _mm256_stream_ps(to + 8, reinterpret_cast<__m256>(v.hi));
    }
#endif
  }
  store(to, v);
}

// Orders stores past the caches before whatever follows: other stores do not wait for them by themselves.
inline void settle_far_stores() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

// Calls `work(from, to)` for parts of `count`, no smaller than `grain`, each on a thread.
template <typename F>
void parallel(int64_t count, int64_t grain, const F& work) {
  torch::stable::parallel_for(0, count, grain, [&](int64_t from, int64_t to) {
    work(from, to);
    settle_far_stores();
  });
}
template <typename F>
void parallel(int64_t count, const F& work) {
  parallel(count, 1, work);
}

}  // namespace bend
