// What a CPU's kernels and CUDA's share of a modulated convolution (arXiv 1912.04958, equation 3).
#pragma once

#include "portable.h"

namespace bend {

constexpr int kKernelTaps = 9;  // of a 3x3 kernel

// An output's, from the sum of its squared weights, times their styles.
BEND_HD float demodulation_of(float squares) { return 1.0f / std::sqrt(squares + 1e-8f); }

}  // namespace bend
