// A fully connected layer for a few rows on a CPU. Nearly all the time goes into reading the weights, which the threads
// divide among themselves. Each result is the same chain of operations, whatever the other rows and the number of
// threads.
#include <algorithm>

#include "dense.h"
#include "gemm.h"

namespace bend {
namespace {

constexpr int64_t kRows = 4;    // rows that share one read of the weights
constexpr int64_t kGrain = 64;  // least number of outputs for a thread

// The dot products of `rows` rows, `step` apart, with one output's weights.
template <int rows>
inline void dots(const float* x, int64_t step, const float* weights, int64_t inputs, float* sums) {
  Floats even[rows] = {}, odd[rows] = {};
  int64_t i = 0;
  for (; i + 2 * kLane <= inputs; i += 2 * kLane) {
    const Floats first = load(weights + i), second = load(weights + i + kLane);
#pragma GCC unroll 4
    for (int n = 0; n < rows; ++n) {
      even[n] += first * load(x + n * step + i);
      odd[n] += second * load(x + n * step + i + kLane);
    }
  }
  for (; i < inputs; i += kLane) {
    for (int n = 0; n < rows; ++n) even[n] += load(weights + i) * load(x + n * step + i);
  }
#pragma GCC unroll 4
  for (int n = 0; n < rows; ++n) sums[n] = total(even[n] + odd[n]);
}

// Outputs `from` to `to` of all rows.
void run(const Linear& layer, int64_t from, int64_t to) {
  for (int64_t o = from; o < to; ++o) {
    const float* const weights = layer.weights + o * layer.inputs;
    float sums[kRows];
    for (int64_t n = 0; n < layer.rows; n += kRows) {
      const int64_t count = std::min(kRows, layer.rows - n);
      const float* const x = layer.x + n * layer.step;
      if (count == kRows) {
        dots<kRows>(x, layer.step, weights, layer.inputs, sums);
      } else {
        for (int64_t q = 0; q < count; ++q) dots<1>(x + q * layer.step, layer.step, weights, layer.inputs, sums + q);
      }
      for (int64_t q = 0; q < count; ++q) {
        layer.out[(n + q) * layer.outputs + o] = sums[q] * layer.gain + layer.bias[o] * layer.bias_gain;
      }
    }
  }
}

Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias, double gain, double bias_gain) {
  STD_TORCH_CHECK(x.dim() == 2 && x.stride(1) == 1, "x must be [N, I], each row contiguous");
  std::vector<Tensor> out;
  run_all({linear_of(x, x.stride(0), weight, bias, gain, bias_gain, &out)});
  return out[0];
}

}  // namespace

Linear linear_of(const Tensor& x, int64_t step, const Tensor& weight, const Tensor& bias, double gain,
                 double bias_gain, std::vector<Tensor>* outs) {
  STD_TORCH_CHECK(weight.dim() == 2 && x.size(x.dim() - 1) == weight.size(1) && weight.size(1) % kLane == 0,
                  "x must be [N, I] and weight [O, I], I a multiple of 16");
  STD_TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(0), "the bias must be [O]");
  for (const Tensor* t : {&x, &weight, &bias}) {
    STD_TORCH_CHECK(t->scalar_type() == ScalarType::Float, "dense takes float32");
  }
  STD_TORCH_CHECK(weight.is_contiguous() && bias.is_contiguous(), "dense takes contiguous weights");
  outs->push_back(fresh(x, {x.size(0), bias.size(0)}));
  return {x.const_data_ptr<float>(),
          step,
          x.size(0),
          weight.size(1),
          weight.const_data_ptr<float>(),
          bias.const_data_ptr<float>(),
          weight.size(0),
          static_cast<float>(gain),
          static_cast<float>(bias_gain),
          outs->back().mutable_data_ptr<float>()};
}

void run_all(const std::vector<Linear>& layers) {
  int64_t outputs = 0;
  for (const Linear& layer : layers) outputs += layer.outputs;
  torch::stable::parallel_for(0, outputs, kGrain, [&](int64_t from, int64_t to) {
    for (const Linear& layer : layers) {
      run(layer, std::max<int64_t>(from, 0), std::min(to, layer.outputs));
      from -= layer.outputs;
      to -= layer.outputs;
    }
  });
}

}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("dense", TORCH_BOX(&bend::dense)); }
