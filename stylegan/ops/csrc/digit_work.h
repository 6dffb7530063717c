// A thread's products on the matrix unit: the result of one step is written to rows while the next step runs, and the
// rows of one panel are finished while the products of the next are computed.
#pragma once

#include "digit_bands.h"
#include "panel_rows.h"

#if defined(BEND_AMX)

#include <algorithm>
#include <vector>

namespace bend {

// A convolution that makes some of the products: which pixels of the layout it reads, and which rows and columns of
// which plane it writes.
struct DigitKernel {
  PointSteps steps;
  int64_t offsets[kKernelTaps];  // of the steps, in pixels
  int64_t first;           // where its weights begin in a panel, in bytes
  int64_t row, column;     // of its first product; they lie Output::kScale apart
};

// How the products of a layer are made.
struct DigitPlan {
  std::vector<DigitKernel> kernels;
  PanelScale* scales;     // of the panels
  int64_t pitch, blocks;  // pixels in a row of factors; their blocks of channels
  int64_t columns;        // in a row of products
  int64_t num_steps;      // of all kernels
};

// `Output` says how products become pixels: PanelPixels, PanelTiles or PanelFir.
template <typename Output>
class DigitWork {
 public:
  // `taps`: of the FIR; null without upsampling.
  DigitWork(const Layer& layer, const float* taps, const DigitPlan& plan) : plan_(plan), output_(layer, taps) {}
  ~DigitWork() { flush(); }

  // Finishes whatever is still unfinished.
  void flush() { output_.run(output_.left()); }

  // Multiplies rows `first` to `last` of a band by a panel.
  void multiply(const Band& band, int64_t panel, const int8_t* weights, int64_t first, int64_t last,
                const PanelRows& rows) {
    const int64_t pitch = plan_.pitch, end = (last - band.first) * pitch;
    const PanelScale& scale = plan_.scales[panel];
    band_ = &band;
    rows_ = rows;
    is_even_ = scale.unevenness * band.unevenness <= kMostUneven;
    for (int k = 0; k < Output::kPlanes; ++k) factors_[k] = load(scale.units[k]) * band.units[k];
    const int64_t steps = ((last - first) * pitch / kSumRows + 1) * plan_.num_steps;
    const int64_t units_a_step = output_.left() / steps + 1;
    // Kernel by kernel, so that few weights are needed in the cache at once.
    for (const DigitKernel& kernel : plan_.kernels) {
      const int64_t rows_a_step = (kSumRows - 1) / (plan_.blocks * kernel.steps.count) + 1;
      for (int64_t pixel = (first - band.first) * pitch; pixel < end; pixel += kSumRows) {
        const int64_t count = std::min(kSumRows, end - pixel);
        multiply_block(kernel, pixel, count, weights, [this, units_a_step, rows_a_step] {
          settle(rows_a_step);
          output_.run(units_a_step);
        });
        settle(kSumRows);
        take(kernel, pixel, count);
      }
    }
    settle(kSumRows);
  }

  // Has rows `first` to `last` of sample `n`'s output made from a panel's products. This is called before `multiply`
  // where each product is finished at once; otherwise after it, and the work is then spread over the steps that follow.
  void finish(const PanelRows& rows, int64_t n, int64_t panel, int64_t first, int64_t last) {
    flush();
    output_.begin(rows, n, panel * kLane, first, last);
  }

 private:
  static constexpr float kMostUneven = 100.0f;  // product of both factors' unevenness for which six products suffice

  template <typename Beside>
  void multiply_block(const DigitKernel& kernel, int64_t pixel, int64_t count, const int8_t* weights,
                      const Beside& beside) {
    const int64_t step = band_->pixels * kDepth, blocks = plan_.blocks, num_steps = kernel.steps.count;
    const int8_t* const plane = band_->data + kernel.steps.plane * blocks * kDigits * step;
    const int8_t *const from = plane + pixel * kDepth, *const right = weights + kernel.first;
    int32_t* const sums = sums_[turn_];
    const bool is_half = count <= kSumRows / 2;
    if (!is_even_) {
      exact_tile_sums(from, step, blocks, kernel.offsets, num_steps, right, sums);
      if (is_half) return;
      exact_tile_sums(from + kTileBytes, step, blocks, kernel.offsets, num_steps, right, sums + kLevelSums / 2);
    } else if (is_half) {
      tile_sums<true>(from, step, blocks, kernel.offsets, num_steps, right, sums, beside);
    } else {
      tile_sums<false>(from, step, blocks, kernel.offsets, num_steps, right, sums, beside);
    }
  }

  // Takes what the unit has just written as what is put into rows next.
  void take(const DigitKernel& kernel, int64_t pixel, int64_t count) {
    kernel_ = &kernel;
    taken_ = sums_[turn_];
    turn_ = 1 - turn_;
    pixel_ = pixel;
    left_ = count;
    y_ = band_->first + pixel / plan_.pitch;
    x_ = pixel % plan_.pitch;
    end_x_ = (plan_.columns - kernel.column + Output::kScale - 1) / Output::kScale;
  }

  // Puts up to `count` pixels into rows.
  void settle(int64_t count) {
    for (count = std::min(count, left_); count > 0;) {
      // The layout has pixels between rows that belong to no output.
      const int64_t pitch = plan_.pitch, part = std::min(count, pitch - x_);
      put(std::min(part, end_x_ - x_));
      taken_ += part * kLane;
      pixel_ += part;
      x_ += part;
      left_ -= part;
      count -= part;
      if (x_ == pitch) {
        x_ = 0;
        ++y_;
      }
    }
  }

  void put(int64_t count) {
    if (is_even_) {
      put_joined<3>(count);
    } else {
      put_joined<4>(count);
    }
  }

  template <int levels>
  void put_joined(int64_t count) {
    const int64_t plane = kernel_->steps.plane;
    const Floats factor = factors_[plane];
    const int32_t* const taken = taken_;
    const auto product = [=](int64_t i) { return joined<levels>(taken + i * kLane) * factor; };
    if constexpr (Output::kIsImmediate) {
      if (band_->lost == nullptr) return output_.put(count, product);
      output_.put(count, [&](int64_t i) { return is_lost(pixel_ + i) ? Floats{} + NAN : product(i); });
    } else {
      const int64_t y = Output::kScale * y_ + kernel_->row, x = Output::kScale * x_ + kernel_->column;
      float* const to = rows_.at(y, plane) + x * kLane;
      for (int64_t i = 0; i < count; ++i) store(to + i * Output::kScale * kLane, product(i));
      for (int64_t i = 0; band_->lost && i < count; ++i) {
        if (is_lost(pixel_ + i)) store(to + i * Output::kScale * kLane, Floats{} + NAN);
      }
    }
  }

  // Whether any of a pixel's steps reads non-finite values.
  bool is_lost(int64_t pixel) const {
    for (int64_t s = 0; s < kernel_->steps.count; ++s) {
      if (band_->lost[pixel + kernel_->offsets[s]]) return true;
    }
    return false;
  }

  const DigitPlan& plan_;
  Output output_;
  const Band* band_ = nullptr;
  PanelRows rows_ = {};
  Floats factors_[Output::kPlanes];
  bool is_even_ = true;
  // What is being put into rows.
  const DigitKernel* kernel_ = nullptr;
  const int32_t* taken_ = nullptr;
  int64_t left_ = 0, pixel_ = 0, x_ = 0, y_ = 0, end_x_ = 0;
  int turn_ = 0;
  alignas(64) int32_t sums_[2][kMostLevels * kLevelSums];
};

}  // namespace bend

#endif
