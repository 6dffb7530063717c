// A whole synthesis network on a CPU, block after block as in `stylegan.synthesis`. With one call per layer, the time
// between calls would be longer than the smaller layers take.
#include <vector>

#include "dense.h"
#include "operations.h"

namespace bend {
namespace {

// For each convolution: its style's weight and bias, its own weight and bias, and its taps, empty where it does not
// upsample. For each to-RGB layer: its style's weight and bias, its own weight and bias, and the filter that upsamples
// the image beneath.
constexpr size_t kOperands = 5;
// For each convolution: the gains of its style's weight and bias, slope, gain and clamp. For each to-RGB layer: the
// same two gains, the gain of its weight, and clamp.
constexpr size_t kConvSettings = 5, kRgbSettings = 4;
constexpr int64_t kNoiseGrain = 1 << 14;

std::optional<Tensor> given(const Tensor& x) { return x.numel() > 0 ? std::optional<Tensor>(x) : std::nullopt; }

// Noise [H, W] or [N, 1, H, W] times its strength, as a layer takes it.
std::optional<Tensor> scaled(const Tensor& noise, const Tensor& strength) {
  if (noise.numel() == 0) return std::nullopt;
  STD_TORCH_CHECK(noise.dim() >= 2 && noise.is_contiguous() && noise.scalar_type() == ScalarType::Float,
                  "noise must be float32 [H, W] or [N, 1, H, W], contiguous");
  STD_TORCH_CHECK(strength.numel() == 1 && strength.scalar_type() == ScalarType::Float,
                  "a noise's strength is one float32");
  const int64_t height = noise.size(noise.dim() - 2), width = noise.size(noise.dim() - 1);
  Tensor result = fresh(noise, {noise.numel() / (height * width), 1, height, width});
  const float *const from = noise.const_data_ptr<float>(), factor = *strength.const_data_ptr<float>();
  float* const to = result.mutable_data_ptr<float>();
  torch::stable::parallel_for(0, noise.numel(), kNoiseGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = from[i] * factor;
  });
  return result;
}

// The image at twice the size, as `stylegan.ops.upsample2d` makes it.
Tensor upsampled(const Tensor& image, const Tensor& filter) {
  STD_TORCH_CHECK(filter.dim() == 2 && filter.size(0) >= 2 && filter.size(1) >= 2, "the filter must be [h, w], from 2");
  const int64_t height = filter.size(0), width = filter.size(1);
  constexpr double kGain = 4;  // makes up for the inserted zeros
  return upfirdn2d(image, filter, 2, 2, 1, 1, (width + 1) / 2, (width - 2) / 2, (height + 1) / 2, (height - 2) / 2,
                   false, kGain);
}

class Network {
 public:
  Network(const Tensor& ws, const std::vector<Tensor>& convs, const std::vector<Tensor>& rgbs,
          const std::vector<double>& settings)
      : convs_(convs), rgbs_(rgbs), settings_(settings), num_convs_(convs.size() / kOperands) {
    const size_t blocks = rgbs.size() / kOperands;
    STD_TORCH_CHECK(blocks > 0 && num_convs_ == 2 * blocks - 1 && convs.size() == num_convs_ * kOperands &&
                        rgbs.size() == blocks * kOperands &&
                        settings.size() == num_convs_ * kConvSettings + blocks * kRgbSettings,
                    "a network is one convolution and to RGB, then two convolutions and to RGB at a time");
    STD_TORCH_CHECK(ws.dim() == 3 && ws.is_contiguous() && ws.size(1) == static_cast<int64_t>(2 * blocks),
                    "ws must be [N, num_ws, w_dim], contiguous");
    std::vector<Linear> layers;
    for (size_t i = 0; i < num_convs_; ++i) add_style(ws, i, &convs[i * kOperands], conv_settings(i), &layers);
    // A to-RGB layer shares its w with the next block's first convolution.
    for (size_t i = 0; i < blocks; ++i) add_style(ws, 2 * i + 1, &rgbs[i * kOperands], rgb_settings(i), &layers);
    run_all(layers);
  }

  Tensor draw(Tensor x, const std::vector<Tensor>& noises) const {
    STD_TORCH_CHECK(noises.size() == 2 * num_convs_, "noise and its strength, for each convolution");
    std::optional<Tensor> image;
    for (size_t i = 0; i + 1 < num_convs_; ++i) {
      x = convolved(x, i, noises);
      if (i % 2 == 0) image = upsampled(to_rgb(x, rgb_of(i / 2, image)), rgbs_[(i / 2 + 1) * kOperands + 4]);
    }
    return last_image(x, noises, rgb_of(num_convs_ / 2, image));
  }

 private:
  const double* conv_settings(size_t i) const { return &settings_[i * kConvSettings]; }
  const double* rgb_settings(size_t i) const { return &settings_[num_convs_ * kConvSettings + i * kRgbSettings]; }

  // Adds to `layers` the one that makes all samples' styles from the w at `place`.
  void add_style(const Tensor& ws, int64_t place, const Tensor* operands, const double* settings,
                 std::vector<Linear>* layers) {
    const int64_t width = ws.size(2);
    layers->push_back(
        linear_of(ws, ws.size(1) * width, operands[0], operands[1], settings[0], settings[1], &styles_));
    layers->back().x += place * width;
  }

  Tensor convolved(const Tensor& x, size_t i, const std::vector<Tensor>& noises) const {
    const Tensor* const operands = &convs_[i * kOperands];
    const double* const settings = conv_settings(i);
    return pictures(styled_conv(x, operands[2], styles_[i], scaled(noises[2 * i], noises[2 * i + 1]), operands[3],
                                given(operands[4]), settings[2], settings[3], settings[4], true));
  }

  // The last layer, of which only the colours are needed.
  Tensor last_image(const Tensor& x, const std::vector<Tensor>& noises, const ToRgb& rgb) const {
    const size_t i = num_convs_ - 1;
    const Tensor* const operands = &convs_[i * kOperands];
    const double* const settings = conv_settings(i);
    STD_TORCH_CHECK(operands[4].numel() == 0, "the last convolution must not upsample");
    return styled_image(x, operands[2], styles_[i], scaled(noises[2 * i], noises[2 * i + 1]), operands[3], settings[2],
                        settings[3], settings[4], rgb);
  }

  ToRgb rgb_of(size_t block, const std::optional<Tensor>& beneath) const {
    const Tensor* const operands = &rgbs_[block * kOperands];
    const double* const settings = rgb_settings(block);
    const Tensor weights = modulated(operands[2], styles_[num_convs_ + block], static_cast<float>(settings[2]));
    return {weights, operands[3], settings[3], beneath};
  }

  const std::vector<Tensor>&convs_, &rgbs_;
  const std::vector<double>& settings_;
  size_t num_convs_;
  std::vector<Tensor> styles_;  // those of the convolutions, then of the to-RGB layers
};

Tensor synthesis(const Tensor& ws, const Tensor& x, const std::vector<Tensor>& convs, const std::vector<Tensor>& noises,
                 const std::vector<Tensor>& rgbs, const std::vector<double>& settings) {
  return Network(ws, convs, rgbs, settings).draw(x, noises);
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("synthesis", TORCH_BOX(&bend::synthesis)); }
