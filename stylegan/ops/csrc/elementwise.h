// bias_act as CUDA runs it: a thread handles a few packs of 16 bytes. Here rather than in the .cu file, so that a CPU
// can run it too.
#pragma once

#include "activation.h"
#include "epilogue.h"
#include "packs.h"

namespace bend {

constexpr int kElementThreads = 256;  // per block
constexpr int kPacksEach = 2;         // per thread, which issues all its reads at once
constexpr int kSinglesEach = 4;       // elements per thread, where there are no packs

// One call's memory. `step` and `size` say which bias an element has: the one at (index / step) % size.
template <typename T>
struct Elements {
  const T* x;          // the input, or the gradient
  const T* reference;  // what a derivative is taken at: the result for straight activations, else the input
  const T* b;          // null for none
  T* out;
  int64_t count, step, size;
  BiasAct<compute_t<T>> p;  // order 0 is the value

  bool has_own_biases() const { return b != nullptr && step == 1; }

  // Whether all memory is whole packs, each with either a pack of biases or a single one.
  bool is_packed() const {
    const bool has_packs = step == 1 ? size % kWhole<T> == 0 && lies_on_pack(b) : step % kWhole<T> == 0;
    return (b == nullptr || has_packs) && count % kWhole<T> == 0 && lies_on_pack(x) &&
           lies_on_pack(reference) && lies_on_pack(out);
  }
};

template <bool kStraight, bool kDerived, typename T, typename A = compute_t<T>>
BEND_HD A apply(const Elements<T>& e, A x, A reference, A bias) {
  const BiasAct<A>& p = e.p;
  if constexpr (kDerived) {
    return kStraight ? piecewise_gradient(p, x, reference) : smooth_gradient(p, x, reference + bias);
  }
  const A v = x + bias;
  return bounded((kStraight ? piecewise(v, p.slope) : smooth(p.act, v, 0)) * p.gain, p.clamp);
}

// Where an element's bias lies; with `kOwn`, it is next to its neighbour's. Indices are as narrow as the count allows,
// because division is what costs time here.
template <bool kOwn, typename T>
BEND_HD int64_t bias_place(const Elements<T>& e, int64_t element) {
  if (e.count > UINT32_MAX) return element / e.step % e.size;
  const auto narrow = static_cast<uint32_t>(element), run = kOwn ? narrow : narrow / static_cast<uint32_t>(e.step);
  return run % static_cast<uint32_t>(e.size);
}

template <typename T>
struct alignas(kPackBytes) Pack {
  T at[kWhole<T>];
};

template <typename T>
BEND_HD Pack<T> read_pack(const T* from) {
  return *reinterpret_cast<const Pack<T>*>(from);
}

// A pack as numbers to compute with.
template <typename T, typename A = compute_t<T>>
BEND_HD void numbers_of(const Pack<T>& pack, A* values) {
  if constexpr (sizeof(T) == 2) {
    Few<T, kWhole<T>> few;
    std::memcpy(few.words, pack.at, sizeof(pack));
    unpack(few, values);
  } else {
#pragma unroll
    for (int i = 0; i < kWhole<T>; ++i) values[i] = pack.at[i];
  }
}

// The work of one thread, where all memory is whole packs.
template <bool kStraight, bool kDerived, bool kOwnBiases, typename T, typename A = compute_t<T>>
BEND_HD void apply_packs(const Elements<T>& e, int64_t block, int thread) {
  constexpr int kPack = kWhole<T>, kApart = kElementThreads * kPack;
  const int64_t first = block * kPacksEach * kApart + thread * kPack;
  Pack<T> xs[kPacksEach], references[kPacksEach];
#pragma unroll
  for (int k = 0; k < kPacksEach; ++k) {
    if (first + k * kApart >= e.count) continue;
    xs[k] = read_pack(e.x + first + k * kApart);
    if (kDerived) references[k] = read_pack(e.reference + first + k * kApart);
  }
#pragma unroll
  for (int k = 0; k < kPacksEach; ++k) {
    const int64_t at = first + k * kApart;
    if (at >= e.count) return;
    A x[kPack], reference[kPack] = {}, biases[kPack] = {};
    numbers_of(xs[k], x);
    if (kDerived) numbers_of(references[k], reference);
    if (e.b != nullptr && !(kStraight && kDerived)) {
      const T* const bias = e.b + bias_place<kOwnBiases>(e, at);
      if (kOwnBiases) numbers_of(read_pack(bias), biases);
#pragma unroll
      for (int i = 0; i < kPack && !kOwnBiases; ++i) biases[i] = static_cast<A>(*bias);
    }
    Pack<T> out;
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      out.at[i] = static_cast<T>(apply<kStraight, kDerived>(e, x[i], reference[i], biases[i]));
    }
    *reinterpret_cast<Pack<T>*>(e.out + at) = out;
  }
}

// The work of one thread for any call, on single elements.
template <bool kStraight, bool kDerived, typename T, typename A = compute_t<T>>
BEND_HD void apply_elements(const Elements<T>& e, int64_t block, int thread) {
  const int64_t first = block * kSinglesEach * kElementThreads + thread;
  A xs[kSinglesEach] = {}, references[kSinglesEach] = {}, biases[kSinglesEach] = {};
#pragma unroll
  for (int k = 0; k < kSinglesEach; ++k) {
    const int64_t at = first + k * kElementThreads;
    if (at >= e.count) continue;
    xs[k] = static_cast<A>(e.x[at]);
    if (kDerived) references[k] = static_cast<A>(e.reference[at]);
    if (e.b != nullptr) biases[k] = static_cast<A>(e.b[bias_place<false>(e, at)]);
  }
#pragma unroll
  for (int k = 0; k < kSinglesEach; ++k) {
    const int64_t at = first + k * kElementThreads;
    if (at < e.count) e.out[at] = static_cast<T>(apply<kStraight, kDerived>(e, xs[k], references[k], biases[k]));
  }
}

}  // namespace bend
