// A fully connected layer for a few rows on a CPU: reading its weights is all the work, which threads share. Each
// number is the same chain of operations, whatever the rows beside it and the number of threads.
#include <algorithm>

#include "gemm.h"
#include "tensors.h"

namespace bend {
namespace {

constexpr int64_t kRows = 4;    // that meet weights once read
constexpr int64_t kGrain = 64;  // outputs of a thread at least

// The dot products of `rows` rows, `inputs` apart, with one output's weights.
template <int rows>
inline void dots(const float* x, const float* weights, int64_t inputs, float* sums) {
  Floats even[rows] = {}, odd[rows] = {};
  int64_t i = 0;
  for (; i + 2 * kLane <= inputs; i += 2 * kLane) {
    const Floats first = load(weights + i), second = load(weights + i + kLane);
#pragma GCC unroll 4
    for (int n = 0; n < rows; ++n) {
      even[n] += first * load(x + n * inputs + i);
      odd[n] += second * load(x + n * inputs + i + kLane);
    }
  }
  for (; i < inputs; i += kLane) {
    for (int n = 0; n < rows; ++n) even[n] += load(weights + i) * load(x + n * inputs + i);
  }
#pragma GCC unroll 4
  for (int n = 0; n < rows; ++n) sums[n] = total(even[n] + odd[n]);
}

Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias, double gain, double bias_gain) {
  STD_TORCH_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1) && x.size(1) % kLane == 0,
                  "x must be [N, I] and weight [O, I], I a multiple of 16");
  STD_TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(0), "the bias must be [O]");
  for (const Tensor* t : {&x, &weight, &bias}) {
    STD_TORCH_CHECK(t->scalar_type() == ScalarType::Float && t->is_contiguous(), "dense takes float32, contiguous");
  }
  const int64_t samples = x.size(0), inputs = x.size(1), outputs = weight.size(0);
  Tensor out = torch::stable::new_empty(x, {samples, outputs});
  const float *rows = x.const_data_ptr<float>(), *weights = weight.const_data_ptr<float>();
  const float* const biases = bias.const_data_ptr<float>();
  float* const to = out.mutable_data_ptr<float>();
  const float scale = static_cast<float>(gain), bias_scale = static_cast<float>(bias_gain);
  torch::stable::parallel_for(0, outputs, kGrain, [&](int64_t from, int64_t end) {
    for (int64_t o = from; o < end; ++o) {
      float sums[kRows];
      for (int64_t n = 0; n < samples; n += kRows) {
        const int64_t count = std::min(kRows, samples - n);
        const float *const own = weights + o * inputs, *const first = rows + n * inputs;
        if (count == kRows) {
          dots<kRows>(first, own, inputs, sums);
        } else {
          for (int64_t q = 0; q < count; ++q) dots<1>(first + q * inputs, own, inputs, sums + q);
        }
        for (int64_t q = 0; q < count; ++q) to[(n + q) * outputs + o] = sums[q] * scale + biases[o] * bias_scale;
      }
    }
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("dense", TORCH_BOX(&bend::dense)); }
