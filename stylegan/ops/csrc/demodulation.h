// What CPU and CUDA kernels of a modulated convolution share (arXiv 1912.04958, equation 3).
#pragma once

#include "portable.h"

namespace bend {

constexpr int kKernelTaps = 9;  // of a 3x3 kernel

// An output channel's demodulation factor, from the sum of the squares of its weights times their styles.
BEND_HD float demodulation_of(float squares) { return 1.0f / std::sqrt(squares + 1e-8f); }

}  // namespace bend
