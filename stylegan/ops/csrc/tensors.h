// What kernels need to know of tensors, through the stable ABI alone: layouts, dtypes, bounds.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <stdexcept>

#include "portable.h"

namespace bend {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// What `allocate` returns. The stable ABI does not say why it failed, but callers that can do with less memory must
// know.
template <typename F>
inline Tensor allocated(const F& allocate) {
  try {
    return allocate();
  } catch (const std::runtime_error&) {
    throw std::runtime_error("a native operation ran out of memory");
  }
}

// Memory on `x`'s device, in its dtype or another.
inline Tensor fresh(const Tensor& x, torch::headeronly::IntHeaderOnlyArrayRef sizes,
                    std::optional<ScalarType> dtype = std::nullopt) {
  return allocated([&] { return torch::stable::new_empty(x, sizes, dtype); });
}

inline Tensor fresh_like(const Tensor& x) {
  return allocated([&] { return torch::stable::empty_like(x); });
}

// Dense in memory in the order of its dimensions. Strides of dimensions of size one mean nothing.
inline bool is_planar(const Tensor& x) { return x.is_contiguous(); }

// Dense in memory in the order N, H, W, C.
inline bool is_channels_last(const Tensor& x) {
  if (x.dim() != 4) return false;
  int64_t expected = 1;
  for (const int64_t d : {1, 3, 2, 0}) {
    if (x.size(d) != 1 && x.stride(d) != expected) return false;
    expected *= x.size(d);
  }
  return true;
}

// How far apart neighbours along a dimension lie. A tensor that is both planar and channels last counts as planar.
inline int64_t step_along(const Tensor& x, int64_t dim) {
  int64_t step = 1;
  if (is_planar(x)) {
    for (int64_t d = x.dim() - 1; d > dim; --d) step *= x.size(d);
    return step;
  }
  for (const int64_t d : {1, 3, 2, 0}) {
    if (d == dim) break;
    step *= x.size(d);
  }
  return step;
}

inline void check_dense(const Tensor& x, const char* name) {
  STD_TORCH_CHECK(is_planar(x) || is_channels_last(x), name, " must be contiguous, or contiguous with channels last");
}

inline bool is_same_layout(const Tensor& x, const Tensor& y) {
  if (x.dim() != y.dim()) return false;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (x.size(d) != y.size(d)) return false;
  }
  return (is_planar(x) && is_planar(y)) || (is_channels_last(x) && is_channels_last(y));
}

// Calls `f` with a value of a dtype's C++ type, if that dtype is computed in float32; returns false for any other
// dtype.
template <typename F>
inline bool try_dispatch_to_float(ScalarType dtype, const F& f) {
  switch (dtype) {
    case ScalarType::Float:
      return f(float()), true;
    case ScalarType::Half:
      return f(Half()), true;
    case ScalarType::BFloat16:
      return f(BFloat16()), true;
    default:
      return false;
  }
}

// The same, failing for other dtypes: for kernels that compute in float32 throughout.
template <typename F>
inline void dispatch_to_float(ScalarType dtype, const char* name, const F& f) {
  STD_TORCH_CHECK(try_dispatch_to_float(dtype, f), name, " takes float32, float16 or bfloat16");
}

// The same for kernels that take float64 as well.
template <typename F>
inline void dispatch(ScalarType dtype, const char* name, const F& f) {
  if (dtype == ScalarType::Double) return f(double());
  STD_TORCH_CHECK(try_dispatch_to_float(dtype, f), name, " takes float64, float32, float16 or bfloat16");
}

}  // namespace bend
