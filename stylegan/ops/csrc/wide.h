// Vectors of 64 bytes: the compiler's own where registers are that wide, else pairs of narrower ones. Left to itself,
// the compiler keeps a vector too wide for a register in memory.
#pragma once

namespace bend {

#if defined(__clang__)
#define BEND_SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
// Lanes of two vectors in any order; one number for each lane of the result.
#define BEND_SHUFFLE(x, y, ...) __builtin_shuffle(x, y, typename Places<sizeof(x)>::type{__VA_ARGS__})
template <int bytes>
struct Places;
template <>
struct Places<16> {
  typedef int type __attribute__((vector_size(16)));
};
template <>
struct Places<32> {
  typedef int type __attribute__((vector_size(32)));
};
template <>
struct Places<64> {
  typedef int type __attribute__((vector_size(64)));
};
#endif

// The result of comparing pairs.
template <typename M>
struct PairMask {
  M lo, hi;
};

// Two vectors (or pairs) of T as one, with the operators of the compiler's own vectors.
template <typename V, typename T>
struct Pair {
  static constexpr int kHalf = sizeof(V) / sizeof(T);
  V lo, hi;

  T operator[](int i) const { return i < kHalf ? lo[i] : hi[i - kHalf]; }

  Pair operator-() const { return {-lo, -hi}; }
  Pair& operator+=(const Pair& b) { return *this = *this + b; }

  friend Pair operator+(const Pair& a, const Pair& b) { return {a.lo + b.lo, a.hi + b.hi}; }
  friend Pair operator-(const Pair& a, const Pair& b) { return {a.lo - b.lo, a.hi - b.hi}; }
  friend Pair operator*(const Pair& a, const Pair& b) { return {a.lo * b.lo, a.hi * b.hi}; }
  friend Pair operator+(const Pair& a, T b) { return {a.lo + b, a.hi + b}; }
  friend Pair operator-(const Pair& a, T b) { return {a.lo - b, a.hi - b}; }
  friend Pair operator*(const Pair& a, T b) { return {a.lo * b, a.hi * b}; }
  friend Pair operator*(T a, const Pair& b) { return {a * b.lo, a * b.hi}; }

  friend auto operator<(const Pair& a, const Pair& b) { return PairMask<decltype(a.lo < b.lo)>{a.lo < b.lo, a.hi < b.hi}; }
  friend auto operator==(const Pair& a, const Pair& b) {
    return PairMask<decltype(a.lo == b.lo)>{a.lo == b.lo, a.hi == b.hi};
  }
  friend auto operator<(const Pair& a, T b) { return PairMask<decltype(a.lo < b)>{a.lo < b, a.hi < b}; }
  friend auto operator>(const Pair& a, T b) { return PairMask<decltype(a.lo > b)>{a.lo > b, a.hi > b}; }
};

// The lanes of `a` where a comparison holds, else those of `b`.
template <typename M, typename V>
inline V choose(const M& mask, const V& a, const V& b) {
  return mask ? a : b;
}
template <typename M, typename V, typename T>
inline Pair<V, T> choose(const PairMask<M>& mask, const Pair<V, T>& a, const Pair<V, T>& b) {
  return {choose(mask.lo, a.lo, b.lo), choose(mask.hi, a.hi, b.hi)};
}

// Like those for one value in `epilogue.h`.
template <typename V, typename T>
inline Pair<V, T> larger(const Pair<V, T>& a, const Pair<V, T>& b) {
  return choose(a < b, b, a);
}
template <typename V, typename T>
inline Pair<V, T> smaller(const Pair<V, T>& a, const Pair<V, T>& b) {
  return choose(b < a, b, a);
}

#if defined(__AVX512F__)
typedef float Floats __attribute__((vector_size(64)));
typedef double Doubles __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef float EightFloats __attribute__((vector_size(32)));
typedef double FourDoubles __attribute__((vector_size(32)));
using Floats = Pair<EightFloats, float>;
using Doubles = Pair<FourDoubles, double>;
#else
typedef float FourFloats __attribute__((vector_size(16)));
typedef double TwoDoubles __attribute__((vector_size(16)));
using Floats = Pair<Pair<FourFloats, float>, float>;
using Doubles = Pair<Pair<TwoDoubles, double>, double>;
#endif

// The vector at an address, of any alignment.
template <typename V>
struct Memory {
  static V read(const void* from) {
    V v;
    __builtin_memcpy(&v, from, sizeof(v));
    return v;
  }
  static void write(void* to, const V& v) { __builtin_memcpy(to, &v, sizeof(v)); }
};
template <typename V, typename T>
struct Memory<Pair<V, T>> {
  static Pair<V, T> read(const void* from) {
    return {Memory<V>::read(from), Memory<V>::read(static_cast<const char*>(from) + sizeof(V))};
  }
  static void write(void* to, const Pair<V, T>& v) {
    Memory<V>::write(to, v.lo);
    Memory<V>::write(static_cast<char*>(to) + sizeof(V), v.hi);
  }
};

// The sum of all lanes. Halves are added to halves, so that no lane leaves its vector before the last step.
template <typename V>
inline float total(V v) {
  if constexpr (sizeof(v) == 64) {
    v += BEND_SHUFFLE(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += BEND_SHUFFLE(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += BEND_SHUFFLE(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  } else if constexpr (sizeof(v) == 32) {
    v += BEND_SHUFFLE(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += BEND_SHUFFLE(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
  } else {
    v += BEND_SHUFFLE(v, v, 2, 3, 0, 1);
  }
  return v[0] + v[1];
}
template <typename V>
inline float total(const Pair<V, float>& v) {
  return total(v.lo + v.hi);
}

// Interleaves two vectors, as in a riffle shuffle of cards: the lanes of their first halves, and those of their second.
template <typename V>
inline void shuffle_together(V x, V y, V* first, V* second) {
  if constexpr (sizeof(x) == 64) {
    *first = BEND_SHUFFLE(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *second = BEND_SHUFFLE(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  } else if constexpr (sizeof(x) == 32) {
    *first = BEND_SHUFFLE(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
    *second = BEND_SHUFFLE(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
  } else {
    *first = BEND_SHUFFLE(x, y, 0, 4, 1, 5);
    *second = BEND_SHUFFLE(x, y, 2, 6, 3, 7);
  }
}
template <typename V, typename T>
inline void shuffle_together(const Pair<V, T>& x, const Pair<V, T>& y, Pair<V, T>* first, Pair<V, T>* second) {
  shuffle_together(x.lo, y.lo, &first->lo, &first->hi);
  shuffle_together(x.hi, y.hi, &second->lo, &second->hi);
}

// Transposes 16 rows of 16 floats in four rounds, each of which interleaves the first half of the rows with the second.
inline void transpose(Floats rows[16]) {
  for (int round = 0; round < 4; ++round) {
    Floats shuffled[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) shuffle_together(rows[i], rows[i + 8], &shuffled[2 * i], &shuffled[2 * i + 1]);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = shuffled[i];
  }
}

}  // namespace bend
