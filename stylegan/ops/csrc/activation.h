// The activations of bias_act and their derivatives up to the third, numbered in the order of the table in
// stylegan/ops/bias_act.py.
#pragma once

#include <limits>

#include "portable.h"

namespace bend {

enum Activation : int64_t { kLinear, kRelu, kLrelu, kTanh, kSigmoid, kElu, kSelu, kSoftplus, kSwish, kNumActivations };

constexpr int64_t kMaxOrder = 3;

// The first three are straight lines that meet at zero; they differ in the slope to the left of it.
BEND_HD bool is_piecewise_linear(int64_t act) { return act <= kLrelu; }

BEND_HD double negative_slope(int64_t act, double alpha) {
  return act == kLinear ? 1.0 : act == kRelu ? 0.0 : alpha;
}

// NaN stays NaN, and relu of minus infinity is zero.
template <typename A>
BEND_HD A piecewise(A v, A slope) {
  return v > A(0) ? v : (slope == A(0) && v == v ? A(0) : v * slope);
}

template <typename A>
BEND_HD A clamped(A v, A bound) {
  return v > bound ? bound : (v < -bound ? -bound : v);
}

template <typename A>
BEND_HD A logistic(A v) {
  using std::exp;
  return A(1) / (A(1) + exp(-v));
}

// The `order`-th derivative of the logistic function, as a polynomial in its value `s`.
template <typename A>
BEND_HD A logistic_derivative(A s, int64_t order) {
  const A slope = s * (A(1) - s);
  if (order == 0) return s;
  if (order == 1) return slope;
  if (order == 2) return slope * (A(1) - 2 * s);
  return slope * (A(1) - 6 * slope);
}

template <typename A>
BEND_HD A tanh_derivative(A v, int64_t order) {
  using std::tanh;
  const A t = tanh(v), slope = A(1) - t * t;
  if (order == 0) return t;
  if (order == 1) return slope;
  if (order == 2) return -2 * t * slope;
  return slope * (6 * t * t - 2);
}

// A line to the right of zero; to the left, an exponential that tends to -`scale` * `depth`.
template <typename A>
BEND_HD A elu_derivative(A v, A scale, A depth, int64_t order) {
  using std::exp;
  using std::expm1;
  if (v > A(0)) return order == 0 ? scale * v : order == 1 ? scale : A(0);
  return scale * depth * (order == 0 ? expm1(v) : exp(v));
}

template <typename A>
BEND_HD A softplus_derivative(A v, int64_t order) {
  using std::exp;
  using std::log1p;
  if (order > 0) return logistic_derivative(logistic(v), order - 1);
  return (v > A(0) ? v : A(0)) + log1p(exp(v > A(0) ? -v : v));
}

template <typename A>
BEND_HD A swish_derivative(A v, int64_t order) {
  const A s = logistic(v);
  if (order == 0) return v * s;
  return order * logistic_derivative(s, order - 1) + v * logistic_derivative(s, order);
}

// The `order`-th derivative (0: the value) of a smooth activation.
template <typename A>
BEND_HD A smooth(int64_t act, A v, int64_t order) {
  switch (act) {
    case kTanh:
      return tanh_derivative(v, order);
    case kSigmoid:
      return logistic_derivative(logistic(v), order);
    case kElu:
      return elu_derivative(v, A(1), A(1), order);
    case kSelu:
      return elu_derivative(v, A(1.0507009873554804934), A(1.6732632423543772848), order);
    case kSoftplus:
      return softplus_derivative(v, order);
    default:
      return swish_derivative(v, order);
  }
}

// The parameters that all elements share.
template <typename A>
struct BiasAct {
  int64_t act;
  int64_t order;
  A slope;
  A gain;
  A clamp;  // infinite for none
};

template <typename A>
BEND_HD A bias_act_value(const BiasAct<A>& p, A v) {
  if (is_piecewise_linear(p.act)) return clamped(piecewise(v, p.slope) * p.gain, p.clamp);
  return clamped(smooth(p.act, v, 0) * p.gain, p.clamp);
}

// Whether the clamp left a result alone. Without a clamp (an infinite bound) it always did: even results that
// overflowed pass a gradient on, or the overflow would go unnoticed.
template <typename A>
BEND_HD bool is_free(A y, A bound) {
  return (y < bound && y > -bound) || bound == std::numeric_limits<A>::infinity();
}

// `g` times the derivative of a straight activation, read off the sign of its result `y` (the gain is positive, the
// slope not negative).
template <typename A>
BEND_HD A piecewise_gradient(const BiasAct<A>& p, A g, A y) {
  const A slope = (y > A(0) ? A(1) : p.slope) * p.gain;
  return is_free(y, p.clamp) ? g * slope : A(0);
}

// `g` times the `order`-th derivative of a smooth activation at `v`, or zero where the clamp holds the result.
template <typename A>
BEND_HD A smooth_gradient(const BiasAct<A>& p, A g, A v) {
  const A y = smooth(p.act, v, 0) * p.gain;
  return is_free(y, p.clamp) ? g * p.gain * smooth(p.act, v, p.order) : A(0);
}

}  // namespace bend
