// Vectors of 64 bytes of the compute type, read from and written to memory of any dtype. Only the conversions of
// float16 need intrinsics.
#pragma once

#include <cstring>

#include "portable.h"
#include "wide.h"

#if defined(__F16C__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace bend {

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

// Prefetches the cache line at an address, which need not be valid.
inline void fetch_line(const void* at) { __builtin_prefetch(at); }

template <typename T>
inline vector_t<T> load(const T* from) {
  return Memory<vector_t<T>>::read(from);
}

template <typename T>
inline void store(T* to, vector_t<T> v) {
  Memory<vector_t<T>>::write(to, v);
}

template <>
inline Floats load(const Half* from) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__F16C__)
  const auto eight = [=](int i) {
    return reinterpret_cast<EightFloats>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  };
  return {eight(0), eight(8)};
#else
  float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = static_cast<float>(from[i]);
  return load(lanes);
#endif
}

template <>
inline void store(Half* to, Floats v) {
#if defined(__AVX512F__)
  const __m256i halves = _mm512_cvtps_ph(reinterpret_cast<__m512>(v), _MM_FROUND_TO_NEAREST_INT);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
#elif defined(__F16C__)
  const auto eight = [=](int i, EightFloats values) {
    const __m128i halves = _mm256_cvtps_ph(reinterpret_cast<__m256>(values), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), halves);
  };
  eight(0, v.lo);
  eight(8, v.hi);
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
  const Words bits = __builtin_convertvector(halves, Words) << 16;
  return Memory<Floats>::read(&bits);
}

template <>
inline void store(BFloat16* to, Floats v) {
#if defined(__AVX512BF16__) && defined(__AVX512F__)
  const __m256bh rounded = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(to, &rounded, sizeof(rounded));
#else
  typedef uint16_t Shorts __attribute__((vector_size(32)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  Words bits;
  std::memcpy(&bits, &v, sizeof(bits));
  const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;  // to the nearest, ties to even
  const Words is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  const Shorts halves = __builtin_convertvector((rounded & ~is_nan) | (0x7fc0u & is_nan), Shorts);
  std::memcpy(to, &halves, sizeof(halves));
#endif
}

}  // namespace bend
