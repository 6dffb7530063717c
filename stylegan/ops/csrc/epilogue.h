// What follows a synthesis layer's convolution: demodulation, noise, bias, activation, gain and clamp (arXiv
// 1912.04958, section 2.2). The arithmetic is the same for one value and for a vector of them.
#pragma once

#include "portable.h"

namespace bend {

struct Epilogue {
  const float* bias;   // [O]
  const float* noise;  // [N or 1, H, W], times its strength; null for none
  int64_t noise_step;  // from one sample's noise to the next, 0 where they share it
  int64_t channels;    // O
  float slope;         // of the activation left of zero, 0 to 1
  float gain;          // positive
  float clamp;         // infinite for none
};

// The larger and the smaller of two values; NaN if the first one is.
template <typename V>
BEND_HD V larger(V a, V b) {
  return a < b ? b : a;
}
template <typename V>
BEND_HD V smaller(V a, V b) {
  return a > b ? b : a;
}
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
// One instruction rather than two.
template <>
BEND_HD float larger(float a, float b) {
  float c;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
template <>
BEND_HD float smaller(float a, float b) {
  float c;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
#endif

// A value clamped to plus or minus `bound`; NaN stays NaN.
template <typename V>
BEND_HD V bounded(V value, V bound) {
  return larger(smaller(value, bound), -bound);
}

// Finishes a value whose demodulation, bias and noise include the gain: a positive gain commutes with the activation.
template <typename V>
BEND_HD V finish_scaled(const Epilogue& e, V value, V scale, V shift, float noise) {
  value = value * scale + (shift + noise);
  value = larger(value, value * e.slope);
  return bounded(value, V{} + e.clamp);
}

template <typename V>
BEND_HD V finish(const Epilogue& e, V value, V demodulation, V bias, float noise) {
  value = value * demodulation + (bias + noise);
  value = larger(value, value * e.slope) * e.gain;
  return bounded(value, V{} + e.clamp);
}

}  // namespace bend
