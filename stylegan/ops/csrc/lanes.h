// Vectors of 64 bytes of the compute type, read from and written to memory of any dtype. The compiler's own vector
// types are used, which it splits where registers are narrower; only the conversions of float16 need intrinsics.
#pragma once

#include <cstring>
#include <type_traits>

#include "portable.h"

#if defined(__F16C__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace bend {

typedef float Floats __attribute__((vector_size(64)));
typedef double Doubles __attribute__((vector_size(64)));

// Lanes of two vectors in any order.
#if defined(__clang__)
#define BEND_SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
typedef int Places __attribute__((vector_size(64)));
#define BEND_SHUFFLE(x, y, ...) __builtin_shuffle(x, y, Places{__VA_ARGS__})
#endif

template <typename A>
struct Vector;
template <>
struct Vector<float> {
  using type = Floats;
};
template <>
struct Vector<double> {
  using type = Doubles;
};

// A vector of what a dtype is computed in.
template <typename T>
using vector_t = typename Vector<compute_t<T>>::type;
template <typename T>
constexpr int64_t kLanes = 64 / sizeof(compute_t<T>);

// The sum of all lanes. Halves are added to halves, so that no lane is taken out of its vector before the last.
inline float total(Floats v) {
  v += BEND_SHUFFLE(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v += BEND_SHUFFLE(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  v += BEND_SHUFFLE(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  return v[0] + v[1];
}

// Transposes 16 rows of 16 floats: four rounds of shuffling two halves together, as one shuffles cards.
inline void transpose(Floats rows[16]) {
  for (int round = 0; round < 4; ++round) {
    Floats shuffled[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const Floats x = rows[i], y = rows[i + 8];
      shuffled[2 * i] = BEND_SHUFFLE(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      shuffled[2 * i + 1] = BEND_SHUFFLE(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = shuffled[i];
  }
}

// Asks for the cache line at an address, which may lie anywhere.
inline void fetch_line(const void* at) { __builtin_prefetch(at); }

template <typename T>
inline vector_t<T> load(const T* from) {
  vector_t<T> v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

template <typename T>
inline void store(T* to, vector_t<T> v) {
  std::memcpy(to, &v, sizeof(v));
}

template <>
inline Floats load(const Half* from) {
  Floats v;
#if defined(__AVX512F__)
  v = reinterpret_cast<Floats>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__F16C__)
  float* lanes = reinterpret_cast<float*>(&v);
  for (int i = 0; i < 16; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(lanes + i, _mm256_cvtph_ps(halves));
  }
#else
  for (int i = 0; i < 16; ++i) v[i] = static_cast<float>(from[i]);
#endif
  return v;
}

template <>
inline void store(Half* to, Floats v) {
#if defined(__AVX512F__)
  const __m256i halves = _mm512_cvtps_ph(reinterpret_cast<__m512>(v), _MM_FROUND_TO_NEAREST_INT);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
#elif defined(__F16C__)
  const float* lanes = reinterpret_cast<const float*>(&v);
  for (int i = 0; i < 16; i += 8) {
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(lanes + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), halves);
  }
#else
  for (int i = 0; i < 16; ++i) to[i] = v[i];
#endif
}

template <>
inline Floats load(const BFloat16* from) {
  typedef uint16_t Shorts __attribute__((vector_size(32)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  Shorts halves;
  std::memcpy(&halves, from, sizeof(halves));
  return reinterpret_cast<Floats>(__builtin_convertvector(halves, Words) << 16);
}

template <>
inline void store(BFloat16* to, Floats v) {
#if defined(__AVX512BF16__) && defined(__AVX512F__)
  const __m256bh rounded = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(to, &rounded, sizeof(rounded));
#else
  typedef uint16_t Shorts __attribute__((vector_size(32)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  const Words bits = reinterpret_cast<Words>(v);
  const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;  // to the nearest, ties to even
  const Words is_nan = reinterpret_cast<Words>(v != v);
  const Shorts halves = __builtin_convertvector((rounded & ~is_nan) | (0x7fc0u & is_nan), Shorts);
  std::memcpy(to, &halves, sizeof(halves));
#endif
}

// Stores a vector. Where it `is_far`, not to be read again soon, and on its boundary, it goes past the caches if the
// processor can do that.
template <typename T>
inline void store(T* to, vector_t<T> v, bool is_far) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) {
    if (is_far) return _mm512_stream_ps(to, reinterpret_cast<__m512>(v));
  }
#endif
  store(to, v);
}

}  // namespace bend
