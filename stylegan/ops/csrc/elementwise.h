// bias_act as CUDA runs it: a thread takes 16 bytes. Here rather than in the .cu file, so that a CPU can run it too.
#pragma once

#include "activation.h"

namespace bend {

// One call's memory. `step` and `size` say which bias an element has: the one at (index / step) % size.
template <typename T>
struct Elements {
  const T* x;          // the input, or the gradient
  const T* reference;  // what a derivative is taken at: the result for straight activations, else the input
  const T* b;          // null for none
  T* out;
  int64_t count, step, size;
  bool is_aligned;     // all of it lies on 16 bytes
  BiasAct<compute_t<T>> p;  // order 0 is the value
};

template <typename T>
struct alignas(16) Pack {
  T at[16 / sizeof(T)];
};

// How many elements make 16 bytes.
template <typename T>
constexpr int kPack = 16 / sizeof(T);

template <bool kStraight, typename T, typename A = compute_t<T>>
BEND_HD A apply(const Elements<T>& e, A x, A reference, A bias) {
  const BiasAct<A>& p = e.p;
  if (p.order == 0) {
    const A v = x + bias;
    return clamped((kStraight ? piecewise(v, p.slope) : smooth(p.act, v, 0)) * p.gain, p.clamp);
  }
  return kStraight ? piecewise_gradient(p, x, reference) : smooth_gradient(p, x, reference + bias);
}

// The biases of `n` elements from `first` on. Index is as narrow as the count allows: division is what costs here.
template <typename Index, typename T, typename A = compute_t<T>>
BEND_HD void find_biases(const Elements<T>& e, Index first, int n, A* biases) {
  const Index step = static_cast<Index>(e.step), size = static_cast<Index>(e.size), run = first / step;
  Index place = run % size, left = step - (first - run * step);
  if (left >= static_cast<Index>(n)) {  // planar pictures
    const A bias = static_cast<A>(e.b[place]);
#pragma unroll
    for (int i = 0; i < kPack<T>; ++i) biases[i] = bias;
    return;
  }
#pragma unroll
  for (int i = 0; i < kPack<T>; ++i) {
    if (i < n) biases[i] = static_cast<A>(e.b[place]);
    if (--left == 0) {
      left = step;
      place = place + 1 == size ? 0 : place + 1;
    }
  }
}

template <typename T>
BEND_HD Pack<T> read_pack(const T* from, int n, bool is_whole) {
  if (is_whole) return *reinterpret_cast<const Pack<T>*>(from);
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < kPack<T>; ++i) pack.at[i] = i < n ? from[i] : T(0);
  return pack;
}

// The work of one thread: pack number `number`.
template <bool kStraight, typename T, typename A = compute_t<T>>
BEND_HD void apply_pack(const Elements<T>& e, int64_t number) {
  const int64_t first = number * kPack<T>;
  if (first >= e.count) return;
  const int n = e.count - first < kPack<T> ? static_cast<int>(e.count - first) : kPack<T>;
  const bool is_whole = e.is_aligned && n == kPack<T>;
  A biases[kPack<T>] = {};
  if (e.b != nullptr && e.count <= UINT32_MAX) find_biases(e, static_cast<uint32_t>(first), n, biases);
  if (e.b != nullptr && e.count > UINT32_MAX) find_biases(e, static_cast<uint64_t>(first), n, biases);
  const Pack<T> x = read_pack(e.x + first, n, is_whole);
  const Pack<T> reference = e.p.order > 0 ? read_pack(e.reference + first, n, is_whole) : x;
  Pack<T> out;
#pragma unroll
  for (int i = 0; i < kPack<T>; ++i) {
    out.at[i] = static_cast<T>(
        apply<kStraight>(e, static_cast<A>(x.at[i]), static_cast<A>(reference.at[i]), biases[i]));
  }
  if (is_whole) {
    *reinterpret_cast<Pack<T>*>(e.out + first) = out;
    return;
  }
#pragma unroll
  for (int i = 0; i < kPack<T>; ++i) {
    if (i < n) e.out[first + i] = out.at[i];
  }
}

}  // namespace bend
