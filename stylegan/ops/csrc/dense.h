// Fully connected layers for a few rows on a CPU, any number of them at once.
#pragma once

#include <vector>

#include "tensors.h"

namespace bend {

// out[n][o] = x[n] . weights[o] * gain + bias[o] * bias_gain, the rows of x `step` floats apart.
struct Linear {
  const float* x;
  int64_t step, rows, inputs;
  const float *weights, *bias;  // [outputs, inputs], [outputs]
  int64_t outputs;
  float gain, bias_gain;
  float* out;
};

// Checks the operands of a layer and puts them together: `x` [N, I], with rows `step` apart, weight [O, I] and bias
// [O]. Adds its output, [N, O], to `outs`.
Linear linear_of(const Tensor& x, int64_t step, const Tensor& weight, const Tensor& bias, double gain, double bias_gain,
                 std::vector<Tensor>* outs);

// Runs all layers. Threads divide up their outputs.
void run_all(const std::vector<Linear>& layers);

}  // namespace bend
