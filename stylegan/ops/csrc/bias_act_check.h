// Checks bias_act's arguments and turns them into parameters, for CPU and CUDA alike.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "activation.h"
#include "tensors.h"

namespace bend {

// The bound is rounded to the results' dtype, since derivatives compare results with it to see which were clamped.
template <typename T, typename A = compute_t<T>>
BiasAct<A> parameters(int64_t act, int64_t order, double alpha, double gain, double clamp) {
  const T rounded = static_cast<T>(static_cast<A>(clamp));
  const A bound = clamp < 0 ? std::numeric_limits<A>::infinity() : static_cast<A>(rounded);
  return {act, order, static_cast<A>(negative_slope(act, alpha)), static_cast<A>(gain), bound};
}

inline void check_bias_act(const Tensor& x, const std::optional<Tensor>& b, int64_t dim, int64_t act) {
  check_dense(x, "x");
  STD_TORCH_CHECK(act >= 0 && act < kNumActivations, "unknown activation ", act);
  STD_TORCH_CHECK(dim >= 0 && dim < std::max<int64_t>(1, x.dim()), "dim ", dim, " is out of range");
  if (!b) return;
  STD_TORCH_CHECK(b->dim() == 1 && x.dim() > 0 && b->size(0) == x.size(dim), "the bias does not fit dimension ", dim);
  STD_TORCH_CHECK(b->scalar_type() == x.scalar_type() && b->is_contiguous(), "the bias must be dense, of x's dtype");
}

inline void check_bias_act_grad(const Tensor& g, const Tensor& reference, const std::optional<Tensor>& b, int64_t dim,
                                int64_t act, int64_t order) {
  check_bias_act(reference, b, dim, act);
  STD_TORCH_CHECK(is_same_layout(g, reference) && g.scalar_type() == reference.scalar_type(),
                  "the gradient must have its reference's shape, dtype and layout");
  STD_TORCH_CHECK(order >= 1 && order <= (is_piecewise_linear(act) ? 1 : kMaxOrder), "no derivative of order ", order);
}

}  // namespace bend
