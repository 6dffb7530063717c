// A synthesis layer on a matrix unit, in digits (`digits.h`): of one size by direct sums or, along x, by Winograd's
// F(4, 3); or upsampling, where the transposed convolution with stride 2 is four kernels, one for each place in a pair
// of rows and columns, and the FIR follows. The unit multiplies a band of rows by a panel of 16 outputs at a time; the
// vectors finish meanwhile what it multiplied before.
#pragma once

#include "digit_bands.h"
#include "panel_rows.h"

#if defined(BEND_AMX)

#include <algorithm>
#include <vector>

namespace bend {

// A convolution that makes some of the products: from which pixels of the layout, and to which rows and columns of
// which plane.
struct DigitKernel {
  PointSteps steps;
  int64_t offsets[kTaps];  // of the steps, in pixels
  int64_t first;           // where its weights begin in a panel, in bytes
  int64_t row, column;     // of the products, which lie Output::kScale apart
};

// A layer's factors, with the channels' powers of two moved from the weights to the styles.
struct Balanced {
  Picture x;
  Weights weights;
  const float* powers;
};

inline Balanced balanced(const Layer& layer) {
  static thread_local Scratch scratch;
  const int64_t inputs = layer.x.channels, samples = layer.x.samples;
  float* const powers = scratch.take((samples + 1) * inputs);
  float* const styles = powers + inputs;
  balance(layer.weights, powers);
  for (int64_t i = 0; i < samples * inputs; ++i) styles[i] = layer.x.styles[i] * powers[i % inputs];
  Balanced result{layer.x, layer.weights, powers};
  result.x.styles = result.weights.styles = styles;
  return result;
}

// `Output` says how products become pixels: PanelPixels, PanelTiles or PanelFir.
template <typename Output>
class DigitConv {
  using Axis = std::conditional_t<Output::kWide == 1, DirectAxis, SameAxis>;
  static constexpr int kScale = Output::kScale, kKernels = kScale == 2 ? 4 : Output::kPlanes;

 public:
  // `taps`: of the FIR; null for a layer of one size.
  DigitConv(const Layer& layer, const float* taps) : DigitConv(layer, taps, balanced(layer)) {}

  // Returns whether it could: colours take all panels of a band, and pixels in sixteens.
  bool run() const {
    const Bands bands = cut();
    const bool has_few_pixels = 9 * layer_.e.channels > layer_.x.samples * layer_.x.height * layer_.x.width;
    const int64_t groups = has_few_pixels ? weights_.panels() : num_groups(bands);
    if (layer_.colours && (groups > 1 || layer_.x.width % kLane)) return false;
    if (has_few_pixels) {
      run_panels(bands);
    } else {
      run_bands(bands, groups);
    }
    return true;
  }

 private:
  DigitConv(const Layer& layer, const float* taps, const Balanced& balanced)
      : layer_(layer),
        taps_(taps),
        weights_(balanced.weights, balanced.powers),
        reader_(balanced.x, kScale == 2 ? 0 : 1),
        blocks_(num_blocks(layer.x.channels)),
        rows_(layer.x.height + (kScale == 2 ? 1 : 0)),
        columns_(kScale == 2 ? 2 * layer.x.width + 1 : layer.x.width / Output::kWide) {
    for (int k = 0; k < kKernels; ++k) {
      // Upsampling, the outer two of three weights along an axis meet even rows, the last one the sample before; the
      // middle one meets odd rows.
      static constexpr Points kEven{{2, 0}, 2, 0}, kOdd{{1}, 1, 1}, kAll{{0, 1, 2}, 3, 0};
      if constexpr (kScale == 2) {
        set_kernel(k, k / 2 ? kOdd : kEven, k % 2 ? kOdd : kEven, 0);
        kernels_[k].row = k / 2;
        kernels_[k].column = k % 2;
      } else {
        set_kernel(k, kAll, kKernels == 1 ? kAll : Points{{k}, 1, 0}, k);
      }
      kernels_[k].first = panel_bytes_;
      panel_bytes_ += blocks_ * kernels_[k].steps.count * weights_.kStepBytes;
    }
    static thread_local std::vector<PanelScale> scales;
    scales.resize(weights_.panels());
    scales_ = scales.data();
  }

  // Of digits, to stay near; of tiles, which are more for the same rows, as few rows would be read too often.
  static constexpr int64_t kLeastBandBytes = 400 << 10, kMostBandBytes = Output::kWide == 1 ? 1 << 20 : 3 << 19;
  static constexpr int64_t kTogether = 2;  // panels of one preparation, so that one is finished beside the other
  static constexpr float kMostUneven = 100.0f;  // for six products, both factors' together

  struct Points {
    int64_t weights[3], count, first;  // those that meet the pixels from `first` on
  };

  void set_kernel(int k, const Points& y, const Points& x, int plane) {
    constexpr int64_t kRow = Axis::kWeights;
    DigitKernel& kernel = kernels_[k];
    kernel = {};
    kernel.steps.plane = plane;
    const int64_t side_by_side = Output::kWide == 1 ? pixels_of_row(layer_.x.channels) : 1;
    for (int64_t i = 0; i < y.count; ++i) {
      for (int64_t j = 0; j < x.count; j += side_by_side) {
        kernel.offsets[kernel.steps.count] = (y.first + i) * reader_.pitch() + x.first + j;
        int64_t* const points = kernel.steps.points[kernel.steps.count++];
        for (int64_t q = 0; q < kPlaces; ++q) {
          const int64_t column = j + reader_.shift(q);
          const bool is_used = reader_.is_used(q) && column < x.count;
          points[q] = is_used ? kRow * y.weights[i] + x.weights[column] : -1;
        }
      }
    }
  }

  PanelScale prepare(int64_t panel, int8_t* to) const {
    const PointSteps* steps[kKernels];
    for (int k = 0; k < kKernels; ++k) steps[k] = &kernels_[k].steps;
    return weights_.prepare(panel, steps, kKernels, to, layer_.demodulation, layer_.padded());
  }

  int64_t num_steps() const { return panel_bytes_ / weights_.kStepBytes; }
  int64_t row_floats() const { return columns_ * kLane; }
  int64_t rows_floats(int64_t kept) const { return Output::kPlanes * kept * row_floats(); }

  // A picture's rows in equal parts, which threads share out.
  struct Bands {
    int64_t rows, count;
    int64_t row(int64_t band) const { return band * rows / count; }
    int64_t most_rows() const { return (rows + count - 1) / count; }
  };

  // As many as a power of two, of two rows at least; the smaller the fewer weights there are, which are read once a
  // band. Digits depend on them, so that the batch has no say.
  Bands cut() const {
    const int64_t bytes = std::clamp(weights_.panels() * panel_bytes_, kLeastBandBytes, kMostBandBytes);
    Bands cut{rows_, 1};
    while (4 * cut.count <= rows_ && (rows_ / cut.count + 2) * reader_.row_bytes() > bytes) cut.count *= 2;
    return cut;
  }

  // Of panels: where there are fewer bands than threads, these share out a band's.
  int64_t num_groups(const Bands& cut) const {
    const int64_t bands = layer_.x.samples * cut.count;
    int64_t groups = 1;
    while (groups * bands < torch::stable::get_num_threads() && 2 * groups <= weights_.panels()) groups *= 2;
    return groups;
  }

  // A thread's products. What a step of the unit made is put into rows while the next one runs, and a panel's rows are
  // finished beside the products of the next panel.
  class Work {
   public:
    explicit Work(const DigitConv& conv) : conv_(conv), output_(conv.layer_, conv.taps_) {}
    ~Work() {
      flush();
      _mm_sfence();  // stores past the caches come before whatever follows
    }

    // Finishes what is still to be finished.
    void flush() { output_.run(output_.left()); }

    // Makes products of rows `first` to `last` of a band by a panel.
    void multiply(const Band& band, int64_t panel, const int8_t* weights, int64_t first, int64_t last,
                  const PanelRows& rows) {
      const int64_t pitch = conv_.reader_.pitch(), end = (last - band.first) * pitch;
      const PanelScale& scale = conv_.scales_[panel];
      band_ = &band;
      rows_ = rows;
      is_even_ = scale.unevenness * band.unevenness <= kMostUneven;
      for (int k = 0; k < Output::kPlanes; ++k) factors_[k] = load(scale.units[k]) * band.units[k];
      const int64_t steps = ((last - first) * pitch / kSumRows + 1) * conv_.num_steps();
      const int64_t units_a_step = output_.left() / steps + 1;
      // Kernel by kernel, so that few weights are near.
      for (const DigitKernel& kernel : conv_.kernels_) {
        const int64_t rows_a_step = (kSumRows - 1) / (conv_.blocks_ * kernel.steps.count) + 1;
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

    // Has rows `first` to `last` of the output of sample `n` made of a panel's products: asked for before these where
    // each is finished at once, else after them, and then in time.
    void finish(const PanelRows& rows, int64_t n, int64_t panel, int64_t first, int64_t last) {
      flush();
      output_.begin(rows, n, panel * kLane, first, last);
    }

   private:
    template <typename Beside>
    void multiply_block(const DigitKernel& kernel, int64_t pixel, int64_t count, const int8_t* weights,
                        const Beside& beside) {
      const int64_t step = band_->pixels * kDepth, blocks = conv_.blocks_, num_steps = kernel.steps.count;
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

    // Makes what the unit has just written the next to be put into rows.
    void take(const DigitKernel& kernel, int64_t pixel, int64_t count) {
      kernel_ = &kernel;
      taken_ = sums_[turn_];
      turn_ = 1 - turn_;
      pixel_ = pixel;
      left_ = count;
      y_ = band_->first + pixel / conv_.reader_.pitch();
      x_ = pixel % conv_.reader_.pitch();
      end_x_ = (conv_.columns_ - kernel.column + kScale - 1) / kScale;
    }

    // Puts up to `count` pixels into rows.
    void settle(int64_t count) {
      for (count = std::min(count, left_); count > 0;) {
        // Between rows lie pixels that are no one's.
        const int64_t pitch = conv_.reader_.pitch(), part = std::min(count, pitch - x_);
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
        float* const to = rows_.at(kScale * y_ + kernel_->row, plane) + (kScale * x_ + kernel_->column) * kLane;
        for (int64_t i = 0; i < count; ++i) store(to + i * kScale * kLane, product(i));
        for (int64_t i = 0; band_->lost && i < count; ++i) {
          if (is_lost(pixel_ + i)) store(to + i * kScale * kLane, Floats{} + NAN);
        }
      }
    }

    // Whether a step reads what is no number.
    bool is_lost(int64_t pixel) const {
      for (int64_t s = 0; s < kernel_->steps.count; ++s) {
        if (band_->lost[pixel + kernel_->offsets[s]]) return true;
      }
      return false;
    }

    const DigitConv& conv_;
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

  // Where weights are more than the picture: threads share out the panels, and prepare a few at a time as they use them.
  void run_panels(const Bands& cut) const {
    static thread_local Scratch scratch;
    static thread_local std::vector<Band> kept_bands;
    const int64_t bands = layer_.x.samples * cut.count, panels = weights_.panels();
    const int64_t bytes = reader_.bytes(cut.most_rows()), pixels = reader_.num_pixels(cut.most_rows());
    kept_bands.resize(bands);
    Band* const kept = kept_bands.data();
    int8_t* const data = take_bytes(scratch, bands * (bytes + pixels));
    parallel(bands, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        uint8_t* const flags = reinterpret_cast<uint8_t*>(data + bands * bytes + i * pixels);
        kept[i] = read(cut, i, data + i * bytes, flags);
      }
    });
    const int64_t some = bands == 1 ? 1 : kTogether;
    parallel(panels, [&](int64_t from, int64_t to) {
      static thread_local Scratch own;
      int8_t* const weights = take_bytes(own, some * panel_bytes_);
      const TileSetting setting;
      Work work(*this);
      for (int64_t first = from; first < to; first += some) {
        const int64_t last = std::min(first + some, to);
        work.flush();  // what waits is in memory that is used again
        for (int64_t panel = first; panel < last; ++panel) {
          scales_[panel] = prepare(panel, weights + (panel - first) * panel_bytes_);
        }
        make_bands(&work, cut, 0, bands, first, last, weights, [=](int64_t i) { return kept[i]; });
      }
    });
  }

  // Where the picture is more than the weights: threads share out the bands.
  void run_bands(const Bands& cut, int64_t groups) const {
    const int64_t panels = weights_.panels();
    int8_t* const weights = take_bytes(weight_scratch(), panels * panel_bytes_);
    parallel(panels, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) {
        scales_[panel] = prepare(panel, weights + panel * panel_bytes_);
      }
    });
    const int64_t bands = layer_.x.samples * cut.count;
    parallel(groups * bands, [&](int64_t from, int64_t to) {
      static thread_local Scratch scratch, flags;
      int8_t* const data = take_bytes(scratch, reader_.bytes(cut.most_rows()));
      uint8_t* const marks = reinterpret_cast<uint8_t*>(take_bytes(flags, reader_.num_pixels(cut.most_rows())));
      const TileSetting setting;
      Work work(*this);
      for (int64_t group = from / bands; group * bands < to; ++group) {
        const int64_t begin = std::max<int64_t>(0, from - group * bands), end = std::min(bands, to - group * bands);
        const int64_t first = group * panels / groups, last = (group + 1) * panels / groups;
        work.flush();
        make_bands(&work, cut, begin, end, first, last, weights + first * panel_bytes_,
                   [&](int64_t i) { return read(cut, i, data, marks); });
      }
    });
  }

  // Bands `from` to `to`, counted through all samples, of some panels, whose weights lie one after the other. `band(i)`
  // is a band's factors, until the next is asked for.
  template <typename BandAt>
  void make_bands(Work* work, const Bands& cut, int64_t from, int64_t to, int64_t first_panel, int64_t last_panel,
                  const int8_t* weights, const BandAt& band_at) const {
    // Of an upsampling layer the FIR of the next band needs rows of this one.
    const int64_t num_panels = last_panel - first_panel, num_rows = kScale == 2 ? num_panels : 2;
    const int64_t kept = kScale * cut.most_rows() + (kScale == 2 ? 3 : 0);
    float* const products = working_scratch().take(num_rows * rows_floats(kept));
    for (int64_t i = from, turn = 0; i < to; ++i) {
      const int64_t n = i / cut.count, k = i % cut.count, first = cut.row(k), last = cut.row(k + 1);
      const auto multiply = [&](const Band& band, int64_t panel, int64_t begin, int64_t end) {
        const int64_t place = kScale == 2 ? panel - first_panel : turn;
        const PanelRows rows{products + place * rows_floats(kept), row_floats(), kept};
        if (kScale == 2 && num_panels == 1) work->flush();  // its next products come where the last ones are
        work->multiply(band, panel, weights + (panel - first_panel) * panel_bytes_, begin, end, rows);
        return rows;
      };
      if (kScale == 2 && i == from && k > 0) {  // the first FIR needs rows of the band before
        const Band band = band_at(i - 1);
        for (int64_t panel = first_panel; panel < last_panel; ++panel) {
          multiply(band, panel, std::max<int64_t>(0, first - 2), first);
        }
      }
      const int64_t begin = kScale == 2 ? std::max<int64_t>(0, 2 * first - 2) : first;
      const int64_t end = kScale == 1 ? last : last == rows_ ? 2 * layer_.x.height : 2 * last - 2;
      const Band band = band_at(i);
      for (int64_t panel = first_panel; panel < last_panel; ++panel, turn = 1 - turn) {
        if (Output::kIsImmediate) work->finish({}, n, panel, begin, end);
        const PanelRows rows = multiply(band, panel, first, last);
        if (!Output::kIsImmediate) work->finish(rows, n, panel, begin, end);
      }
    }
  }

  // Reads band `i`, counted through all samples.
  Band read(const Bands& cut, int64_t i, int8_t* data, uint8_t* flags) const {
    return reader_.read(i / cut.count, cut.row(i % cut.count), cut.row(i % cut.count + 1), data, flags);
  }

  static int8_t* take_bytes(Scratch& scratch, int64_t count) {
    return reinterpret_cast<int8_t*>(scratch.take((count + 3) / static_cast<int64_t>(sizeof(float))));
  }

  const Layer& layer_;
  const float* taps_;
  DigitWeights<Axis> weights_;
  BandReader<Axis> reader_;
  int64_t blocks_, rows_, columns_, panel_bytes_ = 0;  // rows and columns of products, in a kernel's steps of kScale
  DigitKernel kernels_[kKernels];
  PanelScale* scales_;
};

}  // namespace bend

#endif
