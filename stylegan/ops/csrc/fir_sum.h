// Weighted sums of stretches of memory: what filtering comes down to on a CPU, in any layout.
#pragma once

#include <cstring>
#include <vector>

#include "lanes.h"

namespace bend {

// Memory filled with zeros and aligned to vectors: a vector that straddles cache lines loads at half the speed.
template <typename A>
class Buffer {
 public:
  explicit Buffer(int64_t size = 0) : held_(size + kLanes<A>) {
    const auto address = reinterpret_cast<uintptr_t>(held_.data());
    skipped_ = (64 - address % 64) % 64 / sizeof(A);
  }
  A* data() { return held_.data() + skipped_; }

 private:
  std::vector<A> held_;
  int64_t skipped_;
};

// `size`, rounded up to whole vectors, and at least one vector more.
template <typename A>
int64_t with_slack(int64_t size) {
  return (size / kLanes<A> + 2) * kLanes<A>;
}

// Stretches of memory and their weights, to be summed.
template <typename T, typename A = compute_t<T>>
struct Terms {
  std::vector<const T*> from;
  std::vector<A> weights;

  void clear() {
    from.clear();
    weights.clear();
  }
  void add(const T* stretch, A weight) {
    from.push_back(stretch);
    weights.push_back(weight);
  }
};

// to[i] = sum of weight * from[offset + i]. Four vectors at a time stay in registers over all terms. With `kSlack`,
// memory may be read up to a vector's length past the end, so that no element is summed on its own.
template <bool kSlack, typename T, typename U, typename A = compute_t<T>>
void sum_terms(const Terms<T>& terms, int64_t offset, U* to, int64_t n) {
  using V = vector_t<T>;
  constexpr int64_t L = kLanes<T>;
  const T* const* from = terms.from.data();
  const A* weights = terms.weights.data();
  const int64_t count = static_cast<int64_t>(terms.from.size());
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    V a{}, b{}, c{}, d{};
    for (int64_t t = 0; t < count; ++t) {
      const T* at = from[t] + offset + i;
      const A w = weights[t];
      a += load(at) * w;
      b += load(at + L) * w;
      c += load(at + 2 * L) * w;
      d += load(at + 3 * L) * w;
    }
    store(to + i, a);
    store(to + i + L, b);
    store(to + i + 2 * L, c);
    store(to + i + 3 * L, d);
  }
  for (; i < n && (kSlack || i + L <= n); i += L) {
    V a{};
    for (int64_t t = 0; t < count; ++t) a += load(from[t] + offset + i) * weights[t];
    if (i + L <= n) {
      store(to + i, a);
    } else {
      U last[L];
      store(last, a);
      std::memcpy(to + i, last, (n - i) * sizeof(U));
    }
  }
  for (; i < n; ++i) {
    A sum = A(0);
    for (int64_t t = 0; t < count; ++t) sum += static_cast<A>(from[t][offset + i]) * weights[t];
    to[i] = static_cast<U>(sum);
  }
}

}  // namespace bend
