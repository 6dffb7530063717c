// bias_act and its derivatives on a CPU: one pass over memory, however many steps the formula has.
#include <algorithm>
#include <optional>
#include <vector>

#include "bias_act_check.h"
#include "lanes.h"

namespace bend {
namespace {

constexpr int64_t kSegment = 2048;  // elements in a unit of work
constexpr int64_t kShortRun = 64;   // biases that change more often than this are laid out as a pattern

// One bias for a whole stretch of memory, or one for each element.
template <typename A>
struct Biases {
  const A* values;
  bool is_constant;
};

// Straight activations, a vector at a time, and the remainder of a stretch element by element.
template <typename T, typename A = compute_t<T>>
void forward_straight(const BiasAct<A>& p, const T* x, T* y, int64_t n, Biases<A> b) {
  using V = vector_t<T>;
  const BiasAct<A> q = p;
  const A constant = b.values[0];
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const V v = load(x + i) + (b.is_constant ? V{} + constant : load(b.values + i));
    V left = v * q.slope;
    if (q.slope == A(0)) left = choose(v == v, V{}, v);
    V r = choose(v > A(0), v, left) * q.gain;
    r = choose(r > q.clamp, V{} + q.clamp, r);
    r = choose(r < -q.clamp, V{} - q.clamp, r);
    store(y + i, r);
  }
  for (; i < n; ++i) y[i] = bias_act_value(q, static_cast<A>(x[i]) + b.values[b.is_constant ? 0 : i]);
}

template <typename T, typename A = compute_t<T>>
void forward_smooth(const BiasAct<A>& p, const T* x, T* y, int64_t n, Biases<A> b) {
  for (int64_t i = 0; i < n; ++i) y[i] = bias_act_value(p, static_cast<A>(x[i]) + b.values[b.is_constant ? 0 : i]);
}

template <typename T, typename A = compute_t<T>>
void backward_straight(const BiasAct<A>& p, const T* g, const T* y, T* out, int64_t n) {
  using V = vector_t<T>;
  const A right = p.gain, left = p.gain * p.slope, clamp = p.clamp;
  const bool is_bounded = clamp < std::numeric_limits<A>::infinity();
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const V v = load(y + i);
    V r = load(g + i) * choose(v > A(0), V{} + right, V{} + left);
    if (is_bounded) {
      r = choose(v < clamp, r, V{});
      r = choose(v > -clamp, r, V{});
    }
    store(out + i, r);
  }
  for (; i < n; ++i) out[i] = piecewise_gradient(p, static_cast<A>(g[i]), static_cast<A>(y[i]));
}

template <typename T, typename A = compute_t<T>>
void backward_smooth(const BiasAct<A>& p, const T* g, const T* x, T* out, int64_t n, Biases<A> b) {
  for (int64_t i = 0; i < n; ++i) {
    const A v = static_cast<A>(x[i]) + b.values[b.is_constant ? 0 : i];
    out[i] = smooth_gradient(p, static_cast<A>(g[i]), v);
  }
}

// Cuts a tensor's memory into stretches and calls `work(begin, count, biases)` for each.
template <typename T, typename F, typename A = compute_t<T>>
void for_stretches(const Tensor& x, const std::optional<Tensor>& b, int64_t dim, const F& work) {
  const int64_t total = x.numel();
  if (total == 0) return;
  const int64_t step = b ? step_along(x, dim) : total;
  const int64_t size = b ? x.size(dim) : 1;
  const T* given = b ? b->template const_data_ptr<T>() : nullptr;
  std::vector<A> values(size, A(0));
  for (int64_t i = 0; b && i < size; ++i) values[i] = static_cast<A>(given[i]);
  if (b && step < kShortRun) {
    const int64_t period = size * step;
    const int64_t repeats = std::max<int64_t>(1, kSegment / period);
    std::vector<A> pattern(period * repeats);
    for (int64_t i = 0; i < period * repeats; ++i) pattern[i] = values[i / step % size];
    const int64_t length = period * repeats, count = (total + length - 1) / length;
    torch::stable::parallel_for(0, count, std::max<int64_t>(1, 16 * kSegment / length), [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        work(i * length, std::min(length, total - i * length), Biases<A>{pattern.data(), false});
      }
    });
    return;
  }
  // Runs that share one bias, cut into pieces where they are long.
  const int64_t pieces = std::max<int64_t>(1, (step + kSegment - 1) / kSegment);
  const int64_t runs = total / step;
  const int64_t grain = std::max<int64_t>(1, 16 * kSegment / std::max<int64_t>(1, std::min(step, kSegment)));
  torch::stable::parallel_for(0, runs * pieces, grain, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t run = i / pieces, begin = i % pieces * kSegment;
      if (begin >= step) continue;
      const A* bias = values.data() + run % size;
      work(run * step + begin, std::min(kSegment, step - begin), Biases<A>{bias, true});
    }
  });
}

Tensor bias_act(const Tensor& x, const std::optional<Tensor>& b, int64_t dim, int64_t act, double alpha, double gain,
                double clamp) {
  check_bias_act(x, b, dim, act);
  Tensor y = fresh_like(x);
  dispatch(x.scalar_type(), "bias_act", [&](auto zero) {
    using T = decltype(zero);
    const auto p = parameters<T>(act, 0, alpha, gain, clamp);
    const T* from = x.const_data_ptr<T>();
    T* to = y.mutable_data_ptr<T>();
    for_stretches<T>(x, b, dim, [&](int64_t begin, int64_t n, auto biases) {
      if (is_piecewise_linear(act)) {
        forward_straight(p, from + begin, to + begin, n, biases);
      } else {
        forward_smooth(p, from + begin, to + begin, n, biases);
      }
    });
  });
  return y;
}

Tensor bias_act_grad(const Tensor& g, const Tensor& reference, const std::optional<Tensor>& b, int64_t dim, int64_t act,
                     int64_t order, double alpha, double gain, double clamp) {
  check_bias_act_grad(g, reference, b, dim, act, order);
  Tensor out = fresh_like(g);
  dispatch(g.scalar_type(), "bias_act_grad", [&](auto zero) {
    using T = decltype(zero);
    const auto p = parameters<T>(act, order, alpha, gain, clamp);
    const T *from = g.const_data_ptr<T>(), *at = reference.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    for_stretches<T>(reference, b, dim, [&](int64_t begin, int64_t n, auto biases) {
      if (is_piecewise_linear(act)) {
        backward_straight(p, from + begin, at + begin, to + begin, n);
      } else {
        backward_smooth(p, from + begin, at + begin, to + begin, n, biases);
      }
    });
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) {
  m.impl("bias_act", TORCH_BOX(&bend::bias_act));
  m.impl("bias_act_grad", TORCH_BOX(&bend::bias_act_grad));
}
