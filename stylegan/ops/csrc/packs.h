// Neighbouring elements that a CUDA thread reads or writes at once, held as words in registers.
#pragma once

#include <cstring>
#include <type_traits>

#include "portable.h"

namespace bend {

constexpr int kPackBytes = 16;  // the most that one instruction moves

// How many elements of a dtype make a pack.
template <typename T>
constexpr int kWhole = kPackBytes / static_cast<int>(sizeof(T));

BEND_HD bool lies_on_pack(const void* at) { return reinterpret_cast<uintptr_t>(at) % kPackBytes == 0; }

// Elements as they lie in memory. Holding them one by one would make the compiler move halves of registers about.
template <typename T, int count>
struct Few {
  static constexpr int kBytes = count * static_cast<int>(sizeof(T));
  using Word = std::conditional_t<kBytes == 2, uint16_t, uint32_t>;
  static constexpr int kWords = kBytes / static_cast<int>(sizeof(Word));
  static_assert(kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes % kPackBytes == 0,
                "no instruction moves as many bytes");

  Word words[kWords];
};

// Elements from `from` on, or zeros unless `is_there`. Nothing may write to them meanwhile, so that these loads can be
// moved ahead of a thread's own stores.
template <int count, typename T>
BEND_HD Few<T, count> read_few(const T* from, bool is_there = true) {
  using F = Few<T, count>;
  F few = {};
  if (!is_there) return few;
#if defined(__CUDA_ARCH__)
  if constexpr (F::kBytes % kPackBytes == 0) {
#pragma unroll
    for (int i = 0; i < F::kBytes / kPackBytes; ++i) {
      const uint4 four = __ldg(reinterpret_cast<const uint4*>(from) + i);
      few.words[4 * i] = four.x;
      few.words[4 * i + 1] = four.y;
      few.words[4 * i + 2] = four.z;
      few.words[4 * i + 3] = four.w;
    }
  } else if constexpr (F::kBytes == 8) {
    const uint2 two = __ldg(reinterpret_cast<const uint2*>(from));
    few.words[0] = two.x;
    few.words[1] = two.y;
  } else {
    few.words[0] = __ldg(reinterpret_cast<const typename F::Word*>(from));
  }
#else
  std::memcpy(few.words, from, sizeof(few.words));
#endif
  return few;
}

template <int count, typename T>
BEND_HD void write_few(T* to, const Few<T, count>& few) {
#if defined(__CUDA_ARCH__)
  using F = Few<T, count>;
  static_assert(F::kBytes <= kPackBytes);
  if constexpr (F::kBytes == kPackBytes) {
    *reinterpret_cast<uint4*>(to) = make_uint4(few.words[0], few.words[1], few.words[2], few.words[3]);
  } else if constexpr (F::kBytes == 8) {
    *reinterpret_cast<uint2*>(to) = make_uint2(few.words[0], few.words[1]);
  } else {
    *reinterpret_cast<typename F::Word*>(to) = few.words[0];
  }
#else
  std::memcpy(to, few.words, sizeof(few.words));
#endif
}

// The same from shared memory, which threads of a block do write to.
template <int count, typename T>
BEND_HD Few<T, count> read_shared(const T* from) {
  using F = Few<T, count>;
  F few;
#if defined(__CUDA_ARCH__)
  static_assert(F::kBytes <= kPackBytes);
  if constexpr (F::kBytes == kPackBytes) {
    const uint4 four = *reinterpret_cast<const uint4*>(from);
    few.words[0] = four.x;
    few.words[1] = four.y;
    few.words[2] = four.z;
    few.words[3] = four.w;
  } else if constexpr (F::kBytes == 8) {
    const uint2 two = *reinterpret_cast<const uint2*>(from);
    few.words[0] = two.x;
    few.words[1] = two.y;
  } else {
    few.words[0] = *reinterpret_cast<const typename F::Word*>(from);
  }
#else
  std::memcpy(few.words, from, sizeof(few.words));
#endif
  return few;
}

// `count` of the elements, from number `first` on, which is a multiple of `count`.
template <int count, typename T, int all>
BEND_HD Few<T, count> part(const Few<T, all>& few, int first) {
  using F = Few<T, count>;
  F some;
#pragma unroll
  for (int i = 0; i < F::kWords; ++i) some.words[i] = few.words[first / count * F::kWords + i];
  return some;
}

// Elements as numbers to compute with.
template <int count, typename T>
BEND_HD void unpack(const Few<T, count>& few, float* values) {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(T) == 2 && count > 1) {
#pragma unroll
    for (int i = 0; i < count / 2; ++i) {
      const uint32_t word = few.words[i];
      if constexpr (std::is_same_v<T, BFloat16>) {
        values[2 * i] = __uint_as_float(word << 16);
        values[2 * i + 1] = __uint_as_float(word & 0xffff0000u);
      } else {
        __half2 halves;
        memcpy(&halves, &word, sizeof(halves));
        values[2 * i] = __low2float(halves);
        values[2 * i + 1] = __high2float(halves);
      }
    }
    return;
  }
#endif
  T elements[count];
  std::memcpy(elements, few.words, sizeof(few.words));
#pragma unroll
  for (int i = 0; i < count; ++i) values[i] = static_cast<float>(elements[i]);
}

template <typename T, int count>
BEND_HD Few<T, count> pack(const float* values) {
  T elements[count];
#pragma unroll
  for (int i = 0; i < count; ++i) elements[i] = static_cast<T>(values[i]);
  Few<T, count> few;
  std::memcpy(few.words, elements, sizeof(few.words));
  return few;
}

// One number, read as `read_few` does.
BEND_HD float read_one(const float* from, bool is_there = true) {
  float value;
  unpack(read_few<1>(from, is_there), &value);
  return value;
}

}  // namespace bend
