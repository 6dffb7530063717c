// Checks the epilogue's operands and turns them from tensors into what the kernels take.
#pragma once

#include <limits>
#include <optional>

#include "epilogue.h"
#include "tensors.h"

namespace bend {

// The epilogue of `samples` outputs of `height` by `width`. Bias [O] and noise [N or 1, 1, H, W] are float32; a
// negative clamp means none.
inline Epilogue epilogue_of(const std::optional<Tensor>& noise, const Tensor& bias, int64_t samples, int64_t height,
                            int64_t width, double slope, double gain, double clamp) {
  STD_TORCH_CHECK(bias.scalar_type() == ScalarType::Float && bias.is_contiguous(),
                  "the bias must be float32 and dense");
  if (noise) {
    STD_TORCH_CHECK(noise->scalar_type() == ScalarType::Float && noise->is_contiguous() && noise->dim() == 4,
                    "noise must be float32 and dense");
    STD_TORCH_CHECK((noise->size(0) == 1 || noise->size(0) == samples) && noise->size(1) == 1 &&
                        noise->size(2) == height && noise->size(3) == width,
                    "noise must be [N or 1, 1, H, W]");
  }
  return {bias.const_data_ptr<float>(),
          noise ? noise->const_data_ptr<float>() : nullptr,
          noise && noise->size(0) > 1 ? height * width : 0,
          bias.size(0),
          static_cast<float>(slope),
          static_cast<float>(gain),
          clamp < 0 ? std::numeric_limits<float>::infinity() : static_cast<float>(clamp)};
}

// Checks that demodulation [N, O] and bias [O] fit `samples` and `channels`.
inline void check_epilogue(const Tensor& demodulation, const Tensor& bias, int64_t samples, int64_t channels) {
  STD_TORCH_CHECK(demodulation.scalar_type() == ScalarType::Float && demodulation.is_contiguous() &&
                      demodulation.numel() == samples * channels && bias.numel() == channels,
                  "demodulation must be float32 [N, O] and bias [O]");
}

// Checks the taps, if there are any: four along y, then four along x.
inline void check_taps(const std::optional<Tensor>& taps) {
  STD_TORCH_CHECK(!taps || (taps->scalar_type() == ScalarType::Float && taps->is_contiguous() && taps->numel() == 8),
                  "taps must be float32 [2, 4]");
}

}  // namespace bend
