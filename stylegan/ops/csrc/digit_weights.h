// A 3x3 kernel's weights as digits (`digits.h`), in the order of the matrix unit's steps, and demodulation factors from
// the sums of their squares, a panel of 16 outputs at a time.
#pragma once

#include "digits.h"

#if defined(BEND_AMX)

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "epilogue.h"
#include "styled_weights.h"

namespace bend {

// A row of factors is 64 bytes: 16 channels at each of four places. They are 64 channels of one pixel or, where there
// are only 32 or 16 inputs, those of two or four neighbouring pixels.
constexpr int kPlaces = 4;

inline int64_t num_groups(int64_t inputs) { return std::min<int64_t>(kPlaces, (inputs + kLane - 1) / kLane); }
inline int64_t pixels_of_row(int64_t inputs) { return kPlaces / num_groups(inputs); }

inline int64_t num_blocks(int64_t inputs) { return (inputs + kDepth - 1) / kDepth; }

// Planes of factors and of the weights' points, each with its own unit: a single plane, or Winograd's six along x.
constexpr int kMostPlanes = 6;
template <typename Axis>
constexpr int kPlanesOf = Axis::kStep == 1 ? 1 : Axis::kSlots;

// A convolution with some of a 3x3 kernel's points, in steps. Each step says which point meets each of the four places
// in a row of factors; negative for none.
struct PointSteps {
  int64_t points[kKernelTaps][kPlaces];
  int64_t count = 0;
  int64_t plane = 0;  // of the factors it meets; its points share a unit
};

// What `DigitWeights::prepare` finds out about a panel.
struct PanelScale {
  float units[kMostPlanes][kLane];  // of each plane's outputs: what one in the last digit stands for
  float unevenness;                  // the largest weight over the root mean square, for the worst output
};

// Powers of two, one for each channel, that even out the weights, judged by a few outputs spread over all of them.
// Weights are divided and activations multiplied by them, which is exact. Rounding errors are then small compared with
// the largest terms of a sum, whichever factor made those large.
inline void balance(const Weights& w, float* powers) {
  constexpr float kMostExponent = 60;
  constexpr int64_t kOutputs = 8;
  const int64_t step = std::max<int64_t>(1, w.outputs / kOutputs);
  std::vector<float> sums(w.inputs * kKernelTaps, 0.0f);
  for (int64_t o = 0; o < w.outputs; o += step) {
    const float* const taps = w.data + o * w.inputs * kKernelTaps;
    for (int64_t i = 0; i < w.inputs * kKernelTaps; ++i) sums[i] += std::abs(taps[i]);
  }
  for (int64_t i = 0; i < w.inputs; ++i) {
    powers[i] = std::accumulate(sums.begin() + i * kKernelTaps, sums.begin() + (i + 1) * kKernelTaps, 0.0f);
  }
  std::vector<float> sizes(powers, powers + w.inputs);
  const auto middle = sizes.begin() + w.inputs / 2;
  std::nth_element(sizes.begin(), middle, sizes.end(), [](float a, float b) { return a < b || (a == a && b != b); });
  for (int64_t i = 0; i < w.inputs; ++i) {
    const float ratio = powers[i] / *middle;
    const bool is_number = ratio > 0 && std::isfinite(ratio);
    powers[i] = is_number ? std::exp2(std::clamp(std::round(std::log2(ratio)), -kMostExponent, kMostExponent)) : 1.0f;
  }
}

// `Axis` transforms the rows of the kernel: DirectAxis or SameAxis.
template <typename Axis>
class DigitWeights {
 public:
  static constexpr int64_t kStepBytes = kDigits * kTileBytes;

  // `powers`: what each input's weights are divided by (`balance`); the styles are multiplied by them already.
  DigitWeights(const Weights& w, const float* powers)
      : w_(w), powers_(powers), groups_(num_groups(w.inputs)), blocks_(num_blocks(w.inputs)) {}

  int64_t panels() const { return w_.outputs / kLane; }

  // Lays out one kernel after the other, each as [blocks][steps][digits][16][64], and writes each sample's demodulation
  // factors, `apart` floats apart.
  BEND_ONE_COPY PanelScale prepare(int64_t panel, const PointSteps* const* kernels, int num_kernels, int8_t* to,
                                   float* demodulation, int64_t apart) const {
    static thread_local Scratch scratch;
    const int64_t padded = blocks_ * kDepth;
    float* const sums = scratch.take(w_.samples * kLane + kKernelTaps * kLane * kLane + padded * kInput);
    float* const taps = sums + w_.samples * kLane;
    float* const points = taps + kKernelTaps * kLane * kLane;
    std::fill(sums, taps, 0.0f);
    std::fill(points + w_.inputs * kInput, points + padded * kInput, 0.0f);
    Measure measure;
    for (int64_t i = 0; i < w_.inputs; i += kLane) {
      gather_taps(w_, panel * kLane, i, taps);
      for (int64_t k = 0; k < kLane; ++k) {
        const Floats squares =
            transform(taps + k * kKernelTaps * kLane, 1.0f / powers_[i + k], points + (i + k) * kInput, &measure);
        if (w_.are_demodulated) add_squares_of(w_, i + k, squares, sums);
      }
    }
    store_demodulation(w_, sums, demodulation + panel * kLane, apart);
    PanelScale scale;
    Floats per_unit[kPlanes];
    set_scales(measure, &scale, per_unit);
    for (int k = 0; k < num_kernels; ++k) {
      for (int64_t block = 0; block < blocks_; ++block) {
        for (int64_t s = 0; s < kernels[k]->count; ++s, to += kStepBytes) {
          put(points + block * kDepth * kInput, kernels[k]->points[s], per_unit[kernels[k]->plane], to);
        }
      }
    }
    return scale;
  }

 private:
  static constexpr int kRow = Axis::kWeights;          // points in a row
  static constexpr int64_t kInput = 3 * kRow * kLane;  // floats of an input's points
  static constexpr int kPlanes = kPlanesOf<Axis>;

  struct Measure {
    Floats largest[kPlanes] = {}, squares[kPlanes] = {};
  };

  // Makes an input's points, for 16 outputs, from its taps times a factor; returns the sums of those products' squares.
  static Floats transform(const float* taps, float factor, float* points, Measure* measure) {
    Floats squares = {};
#pragma GCC unroll 3
    for (int row = 0; row < 3; ++row) {
      Floats from[3], to[kRow];
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) {
        from[i] = load(taps + (3 * row + i) * kLane) * factor;
        squares += from[i] * from[i];
      }
      Axis::kernel(from, 1, to, 1);
#pragma GCC unroll 6
      for (int i = 0; i < kRow; ++i) {
        store(points + (kRow * row + i) * kLane, to[i]);
        const int plane = i % kPlanes;
        const Floats size = reinterpret_cast<Floats>(_mm512_abs_ps(reinterpret_cast<__m512>(to[i])));
        measure->largest[plane] = larger(measure->largest[plane], size);
        measure->squares[plane] += size * size;
      }
    }
    return squares;
  }

  void set_scales(const Measure& measure, PanelScale* scale, Floats* per_unit) const {
    scale->unevenness = 0;
    for (int plane = 0; plane < kPlanes; ++plane) {
      for (int64_t o = 0; o < kLane; ++o) {
        const float most = std::max(measure.largest[plane][o], kLeastLargest), squares = measure.squares[plane][o];
        per_unit[plane][o] = kDigitLimit / most;
        scale->units[plane][o] = std::isfinite(squares) ? most / kDigitLimit : NAN;
        const float usual = std::sqrt(squares / static_cast<float>(3 * kRow / kPlanes * w_.inputs));
        if (usual > 0) scale->unevenness = std::max(scale->unevenness, most / usual);
      }
    }
  }

  // Writes one step's three tiles, for the block of inputs whose points begin at `points`.
  void put(const float* points, const int64_t* step, Floats per_unit, int8_t* to) const {
    static constexpr float kNone[kLane] = {};
    const float* from[kPlaces];
    int64_t input[kPlaces];
    for (int64_t q = 0; q < kPlaces; ++q) {
      from[q] = step[q] < 0 ? kNone : points + q % groups_ * kLane * kInput + step[q] * kLane;
      input[q] = step[q] < 0 ? 0 : kInput;
    }
    for (int64_t i = 0; i < kLane; ++i) {
      Floats values[kPlaces];
#pragma GCC unroll 4
      for (int64_t q = 0; q < kPlaces; ++q) values[q] = load(from[q] + i * input[q]) * per_unit;
      __m512i digits[kDigits];
      split(values, digits);
#pragma GCC unroll 3
      for (int d = 0; d < kDigits; ++d) _mm512_store_si512(to + d * kTileBytes + i * kDepth, digits[d]);
    }
  }

  const Weights w_;
  const float* powers_;
  int64_t groups_, blocks_;
};

}  // namespace bend

#endif
