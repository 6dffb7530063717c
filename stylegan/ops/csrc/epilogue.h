// What follows a synthesis layer's convolution: demodulation, noise, bias, activation, gain and clamp (arXiv
// 1912.04958, section 2.2). The arithmetic is for one value or a vector of them alike.
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

template <typename V>
BEND_HD V finish(const Epilogue& e, V value, V demodulation, V bias, float noise) {
  value = value * demodulation + (bias + noise);
  const V left = value * e.slope;
  value = (value > left ? value : left) * e.gain;
  const V high = V{} + e.clamp;
  value = value > high ? high : value;
  return value < -high ? -high : value;
}

}  // namespace bend
