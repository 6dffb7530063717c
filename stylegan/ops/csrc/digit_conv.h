// A synthesis layer on a matrix unit, in digits (`digits.h`). Without upsampling it is computed by direct sums or,
// along x, by Winograd's F(4, 3). With upsampling, the transposed convolution with stride 2 is four kernels, one for
// each parity of row and column, and the FIR follows. What a thread does with a band of rows and a panel of 16 outputs
// is in `digit_work.h`.
#pragma once

#include "digit_work.h"

#if defined(BEND_AMX)

#include <algorithm>
#include <vector>

namespace bend {

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
  using Work = DigitWork<Output>;
  using Axis = std::conditional_t<Output::kWide == 1, DirectAxis, SameAxis>;
  static constexpr int kScale = Output::kScale, kKernels = kScale == 2 ? 4 : Output::kPlanes;

 public:
  // `taps`: of the FIR; null without upsampling.
  DigitConv(const Layer& layer, const float* taps) : DigitConv(layer, taps, balanced(layer)) {}

  // Whether colours can be made instead of the layer's output: a thread then needs all panels of a band, and rows of
  // whole groups of 16 pixels.
  bool makes_colours() const {
    return !shares_panels() && num_parts(cut()) == 1 && layer_.x.width % kLane == 0;
  }

  void run() const {
    if (shares_panels()) {
      run_panels(cut());
    } else {
      run_bands(cut());
    }
  }

 private:
  DigitConv(const Layer& layer, const float* taps, const Balanced& balanced)
      : layer_(layer),
        taps_(taps),
        weights_(balanced.weights, balanced.powers),
        reader_(balanced.x, kScale == 2 ? 0 : 1),
        rows_(layer.x.height + (kScale == 2 ? 1 : 0)) {
    static thread_local std::vector<PanelScale> scales;
    scales.resize(weights_.panels());
    const int64_t columns = kScale == 2 ? 2 * layer.x.width + 1 : layer.x.width / Output::kWide;
    plan_ = {{}, scales.data(), reader_.pitch(), num_blocks(layer.x.channels), columns, 0};
    for (int k = 0; k < kKernels; ++k) {
      // With upsampling, the outer two of three weights along an axis contribute to even rows, the last of them from
      // the sample before; the middle one contributes to odd rows.
      static constexpr Points kEven{{2, 0}, 2, 0}, kOdd{{1}, 1, 1}, kAll{{0, 1, 2}, 3, 0};
      if constexpr (kScale == 2) {
        add_kernel(k / 2 ? kOdd : kEven, k % 2 ? kOdd : kEven, 0);
        plan_.kernels.back().row = k / 2;
        plan_.kernels.back().column = k % 2;
      } else {
        add_kernel(kAll, kKernels == 1 ? kAll : Points{{k}, 1, 0}, k);
      }
    }
  }

  // Bounds on a band's digits, which should stay in a near cache. Tiles need more memory for the same rows and may have
  // more: with few rows in a band, rows would be read too often.
  static constexpr int64_t kLeastBandBytes = 400 << 10, kMostBandBytes = Output::kWide == 1 ? 1 << 20 : 3 << 19;
  static constexpr int64_t kTogether = 2;  // panels prepared at once, so that one is finished during the next

  struct Points {
    int64_t weights[3], count, first;  // the weights that meet the pixels from `first` on
  };

  void add_kernel(const Points& y, const Points& x, int plane) {
    constexpr int64_t kRow = Axis::kWeights;
    DigitKernel kernel = {};
    kernel.steps.plane = plane;
    kernel.first = panel_bytes();
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
    plan_.kernels.push_back(kernel);
    plan_.num_steps += plan_.blocks * kernel.steps.count;
  }

  PanelScale prepare(int64_t panel, int8_t* to) const {
    const PointSteps* steps[kKernels];
    for (int k = 0; k < kKernels; ++k) steps[k] = &plan_.kernels[k].steps;
    return weights_.prepare(panel, steps, kKernels, to, layer_.demodulation, layer_.padded());
  }

  int64_t panel_bytes() const { return plan_.num_steps * weights_.kStepBytes; }
  int64_t row_floats() const { return plan_.columns * kLane; }
  int64_t rows_floats(int64_t kept) const { return Output::kPlanes * kept * row_floats(); }

  // A picture's rows in equal parts, which threads divide up.
  struct Bands {
    int64_t rows, count;
    int64_t row(int64_t band) const { return band * rows / count; }
    int64_t most_rows() const { return (rows + count - 1) / count; }
  };

  // The number of bands is a power of two, each of at least two rows. The fewer weights there are, which are read once
  // per band, the smaller the bands. Digits depend on the bands, so the batch size must not.
  Bands cut() const {
    const int64_t bytes = std::clamp(weights_.panels() * panel_bytes(), kLeastBandBytes, kMostBandBytes);
    Bands cut{rows_, 1};
    while (4 * cut.count <= rows_ && (rows_ / cut.count + 2) * reader_.row_bytes() > bytes) cut.count *= 2;
    return cut;
  }

  // Whether there are more weights than values in the pictures.
  bool shares_panels() const {
    return kKernelTaps * layer_.e.channels > layer_.x.samples * layer_.x.height * layer_.x.width;
  }

  // How many parts a band's panels are cut into, so that threads divide them up where there are fewer bands than
  // threads.
  int64_t num_parts(const Bands& cut) const {
    const int64_t bands = layer_.x.samples * cut.count;
    int64_t parts = 1;
    while (parts * bands < torch::stable::get_num_threads() && 2 * parts <= weights_.panels()) parts *= 2;
    return parts;
  }

  // Threads divide up the panels, and prepare a few at a time as they use them.
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
    parallel(panels, [&](int64_t from, int64_t to) {
      int8_t* const weights = take_bytes(weight_scratch(), kTogether * panel_bytes());
      const TileSetting setting;
      Work work(layer_, taps_, plan_);
      for (int64_t first = from; first < to; first += kTogether) {
        const int64_t last = std::min(first + kTogether, to);
        work.flush();  // unfinished products lie in memory that is about to be overwritten
        for (int64_t panel = first; panel < last; ++panel) {
          plan_.scales[panel] = prepare(panel, weights + (panel - first) * panel_bytes());
        }
        make_bands(&work, cut, 0, bands, first, last, weights, [=](int64_t i) { return kept[i]; });
      }
    });
  }

  // Threads divide up the bands.
  void run_bands(const Bands& cut) const {
    const int64_t panels = weights_.panels(), parts = num_parts(cut);
    int8_t* const weights = take_bytes(weight_scratch(), panels * panel_bytes());
    parallel(panels, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) {
        plan_.scales[panel] = prepare(panel, weights + panel * panel_bytes());
      }
    });
    const int64_t bands = layer_.x.samples * cut.count;
    parallel(parts * bands, [&](int64_t from, int64_t to) {
      static thread_local Scratch scratch, flags;
      int8_t* const data = take_bytes(scratch, reader_.bytes(cut.most_rows()));
      uint8_t* const marks = reinterpret_cast<uint8_t*>(take_bytes(flags, reader_.num_pixels(cut.most_rows())));
      const TileSetting setting;
      Work work(layer_, taps_, plan_);
      for (int64_t part = from / bands; part * bands < to; ++part) {
        const int64_t begin = std::max<int64_t>(0, from - part * bands), end = std::min(bands, to - part * bands);
        const int64_t first = part * panels / parts, last = (part + 1) * panels / parts;
        work.flush();
        make_bands(&work, cut, begin, end, first, last, weights + first * panel_bytes(),
                   [&](int64_t i) { return read(cut, i, data, marks); });
      }
    });
  }

  // Computes bands `from` to `to`, counted across all samples, for some panels, whose weights lie one after the other.
  // `band_at(i)` is a band's factors, valid until the next call.
  template <typename BandAt>
  void make_bands(Work* work, const Bands& cut, int64_t from, int64_t to, int64_t first_panel, int64_t last_panel,
                  const int8_t* weights, const BandAt& band_at) const {
    // With upsampling, the FIR of the next band needs rows of this one.
    const int64_t num_panels = last_panel - first_panel, num_rows = kScale == 2 ? num_panels : 2;
    const int64_t kept = kScale * cut.most_rows() + (kScale == 2 ? 3 : 0);
    float* const products = working_scratch().take(num_rows * rows_floats(kept));
    for (int64_t i = from, turn = 0; i < to; ++i) {
      const int64_t n = i / cut.count, k = i % cut.count, first = cut.row(k), last = cut.row(k + 1);
      const auto multiply = [&](const Band& band, int64_t panel, int64_t begin, int64_t end) {
        const int64_t place = kScale == 2 ? panel - first_panel : turn;
        const PanelRows rows{products + place * rows_floats(kept), row_floats(), kept};
        if (kScale == 2 && num_panels == 1) work->flush();  // its next products overwrite the last ones
        work->multiply(band, panel, weights + (panel - first_panel) * panel_bytes(), begin, end, rows);
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

  // Reads band `i`, counted across all samples.
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
  int64_t rows_;  // of products that each kernel makes
  DigitPlan plan_;
};

}  // namespace bend

#endif
