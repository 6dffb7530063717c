// A picture's rows as digits (`digits.h`), scaled by styles and laid out for the matrix unit: row after row, so that a
// tap is at the same offset from every pixel, even at edges, and any 32 consecutive pixels make a step of the matrix
// unit, whatever the picture's width. All rows of a band have their digits in the same unit.
#pragma once

#include "digit_weights.h"

#if defined(BEND_AMX)

#include <algorithm>
#include <cmath>
#include <limits>

#include "styled_layer.h"

namespace bend {

struct Band {
  int64_t first, pixels;  // the first row that can be convolved; pixels in a plane
  int8_t* data;           // [planes][blocks][digits][pixels][64]
  float units[kMostPlanes], unevenness;
  const uint8_t* lost;    // marks pixels with non-finite values; null where there are none
};

// `Axis` is DirectAxis for plain pixels, with a zero pixel between rows, or SameAxis for Winograd's tiles of four
// pixels along x, in six planes. Rows above and below the picture are zeros.
template <typename Axis>
class BandReader {
 public:
  static constexpr int kPlanes = kPlanesOf<Axis>;

  // `rows_below`: how many rows are read below those that are convolved: one, or none for an upsampling layer.
  BandReader(const Picture& x, int64_t rows_below)
      : x_(x),
        rows_below_(rows_below),
        pitch_(Axis::kStep == 1 ? x.width + 1 : x.width / Axis::kStep),
        blocks_(num_blocks(x.channels)) {
    const int64_t groups = num_groups(x.channels);
    for (int64_t q = 0; q < kPlaces; ++q) {
      shifts_[q] = q / groups;
      channels_[q] = q / groups < pixels_of_row(x.channels) ? q % groups * kLane : x.channels;
    }
  }

  int64_t pitch() const { return pitch_; }
  int64_t row_bytes() const { return kPlanes * blocks_ * kDigits * pitch_ * kDepth; }
  int64_t bytes(int64_t rows) const { return kPlanes * blocks_ * kDigits * num_pixels(rows) * kDepth; }

  // Of a place in a row of factors: how many pixels further on its values lie, and whether it holds any channels.
  int64_t shift(int64_t place) const { return shifts_[place]; }
  bool is_used(int64_t place) const { return channels_[place] < x_.channels; }

  // Reads what rows `first` to `last` of sample `n` need. `flags` has room for one byte per pixel of the band.
  BEND_ONE_COPY Band read(int64_t n, int64_t first, int64_t last, int8_t* data, uint8_t* flags) const {
    Band band{first, num_pixels(last - first), data, {}, 0, nullptr};
    const int64_t begin = first - 1, end = last + rows_below_;
    float per_unit[kPlanes];
    if (measure(n, std::max<int64_t>(begin, 0), std::min(end, x_.height), &band, per_unit)) {
      std::fill(flags, flags + band.pixels, uint8_t{0});
      for (int64_t y = begin; y < end; ++y) find_lost(n, y, flags + (y - begin) * pitch_);
      band.lost = flags;
    }
    const float* const styles = scaled_styles(n, kIsPlain ? per_unit[0] : 1.0f);
    for (int64_t y = begin; y < end; ++y) {
      const int64_t pixel = (y - begin) * pitch_;
      if (y < 0 || y >= x_.height) {
        put_zeros(band, pixel, pitch_);
      } else {
        read_row(band, pixel, row(n, y), styles, per_unit);
      }
    }
    put_zeros(band, (end - begin) * pitch_, 1);
    return band;
  }

  // A convolution reads the rows around its own, and its last step of 32 pixels reads past the end, where values do not
  // matter. Planes of digits are whole pages and a third apart, so that they do not compete for the same cache sets.
  int64_t num_pixels(int64_t rows) const {
    constexpr int64_t kPage = 64, kApart = 21;
    return ((rows + 3) * pitch_ + 2 * kSumRows) / kPage * kPage + kPage + kApart;
  }

 private:
  static constexpr int64_t kAhead = 512;  // floats by which reading is prefetched
  static constexpr bool kIsPlain = Axis::kStep == 1;

  // Pixels of a row of a sample, beginning one to the left of a step's first.
  struct Patch {
    const float* pixels[Axis::kPatch];
  };

  const float* row(int64_t n, int64_t y) const { return x_.data + (n * x_.height + y) * x_.width * x_.channels; }

  const float* zeros() const {
    static thread_local Scratch scratch;
    float* const zeros = scratch.take(x_.channels);
    std::fill(zeros, zeros + x_.channels, 0.0f);
    return zeros;
  }

  Patch patch(const float* row, int64_t tile, const float* zeros) const {
    Patch patch;
#pragma GCC unroll 6
    for (int i = 0; i < Axis::kPatch; ++i) {
      const int64_t column = tile * Axis::kStep - 1 + i;
      patch.pixels[i] = column >= 0 && column < x_.width ? row + column * x_.channels : zeros;
    }
    return patch;
  }

  // The factors of 16 channels in all planes.
  static void transform(const Patch& patch, int64_t channel, Floats style, Floats* planes) {
    Floats values[Axis::kPatch];
#pragma GCC unroll 6
    for (int i = 0; i < Axis::kPatch; ++i) values[i] = load(patch.pixels[i] + channel) * style;
    Axis::input(values, 1, planes, 1);
  }

  // Finds each plane's unit, and the unevenness of the most uneven plane; returns whether any value is not finite.
  bool measure(int64_t n, int64_t begin, int64_t end, Band* band, float* per_unit) const {
    const float* const styles = x_.styles + n * x_.channels;
    constexpr int kCounts = kIsPlain ? 4 : kPlanes;  // four chains for a plain picture's one plane
    const __m512 limit = _mm512_set1_ps(std::numeric_limits<float>::max());
    __m512 largest[kCounts], squares[kCounts];
    __mmask16 all = 0xffff;
#pragma GCC unroll 6
    for (int k = 0; k < kCounts; ++k) largest[k] = squares[k] = _mm512_setzero_ps();
    const auto take = [&](Floats value, int k) {
      const __m512 v = reinterpret_cast<__m512>(value), size = _mm512_abs_ps(v);
      const __mmask16 is_finite = _mm512_cmp_ps_mask(size, limit, _CMP_LE_OQ);
      all &= is_finite;
      largest[k] = _mm512_mask_max_ps(largest[k], is_finite, largest[k], size);
      squares[k] = _mm512_mask3_fmadd_ps(v, v, squares[k], is_finite);
    };
    int64_t count = 0;
    if constexpr (kIsPlain) {
      const float* from = begin < end ? row(n, begin) : nullptr;
      count = std::max<int64_t>(0, end - begin) * x_.width;
      for (int64_t i = 0; i < count; ++i, from += x_.channels) {
        int64_t c = 0;
        for (; c + 4 * kLane <= x_.channels; c += 4 * kLane) {
#pragma GCC unroll 4
          for (int k = 0; k < 4; ++k) {
            fetch_line(from + c + k * kLane + kAhead);
            take(load(from + c + k * kLane) * load(styles + c + k * kLane), k);
          }
        }
        for (; c < x_.channels; c += kLane) take(load(from + c) * load(styles + c), 0);
      }
    } else {
      const float* const zero = zeros();
      for (int64_t y = begin; y < end; ++y) {
        for (int64_t tile = 0; tile < pitch_; ++tile, ++count) {
          const Patch from = patch(row(n, y), tile, zero);
          for (int64_t c = 0; c < x_.channels; c += kLane) {
            Floats planes[kPlanes];
#pragma GCC unroll 4
            for (int i = 1; i <= Axis::kStep; ++i) fetch_line(from.pixels[i] + c + kAhead);
            transform(from, c, load(styles + c), planes);
#pragma GCC unroll 6
            for (int k = 0; k < kPlanes; ++k) take(planes[k], k);
          }
        }
      }
    }
    const float numbers = static_cast<float>(std::max<int64_t>(1, count * x_.channels));
    for (int k = 0; k < kPlanes; ++k) {
      __m512 most = largest[k], sum = squares[k];
      for (int i = 1; kIsPlain && i < 4; ++i) {
        most = _mm512_max_ps(most, largest[i]);
        sum = _mm512_add_ps(sum, squares[i]);
      }
      const float size = std::max(_mm512_reduce_max_ps(most), kLeastLargest);
      const float usual = std::sqrt(_mm512_reduce_add_ps(sum) / numbers);
      if (usual > 0) band->unevenness = std::max(band->unevenness, size / usual);
      band->units[k] = size / kDigitLimit;
      per_unit[k] = kDigitLimit / size;
    }
    return all != 0xffff;
  }

  // Marks the pixels in a row of the layout that hold non-finite values.
  void find_lost(int64_t n, int64_t y, uint8_t* flags) const {
    if (y < 0 || y >= x_.height) return;
    const int64_t reach = kIsPlain ? pixels_of_row(x_.channels) : Axis::kPatch;
    for (int64_t j = 0; j < pitch_; ++j) {
      for (int64_t i = 0; i < reach; ++i) {
        const int64_t column = j * Axis::kStep - 1 + i;
        if (column < 0 || column >= x_.width) continue;
        for (int64_t c = 0; c < x_.channels; ++c) {
          if (!std::isfinite(row(n, y)[column * x_.channels + c] * x_.styles[n * x_.channels + c])) flags[j] = 1;
        }
      }
    }
  }

  void put_pixel(const Band& band, int plane, int64_t block, int64_t pixel, const Floats* values) const {
    int8_t* const at = band.data + ((plane * blocks_ + block) * kDigits * band.pixels + pixel) * kDepth;
    __m512i digits[kDigits];
    split(values, digits);
#pragma GCC unroll 3
    for (int d = 0; d < kDigits; ++d) _mm512_store_si512(at + d * band.pixels * kDepth, digits[d]);
  }

  void put_zeros(const Band& band, int64_t pixel, int64_t count) const {
    for (int64_t k = 0; k < kPlanes * blocks_ * kDigits; ++k) {
      int8_t* const at = band.data + (k * band.pixels + pixel) * kDepth;
      std::fill(at, at + count * kDepth, int8_t{0});
    }
  }

  // A sample's styles times a factor, padded to whole blocks.
  const float* scaled_styles(int64_t n, float factor) const {
    static thread_local Scratch scratch;
    float* const styles = scratch.take(blocks_ * kDepth);
    std::fill(styles + x_.channels, styles + blocks_ * kDepth, 0.0f);
    for (int64_t c = 0; c < x_.channels; ++c) styles[c] = x_.styles[n * x_.channels + c] * factor;
    return styles;
  }

  // Writes a picture's row to the pixels from `pixel` on.
  void read_row(const Band& band, int64_t pixel, const float* from, const float* styles, const float* per_unit) const {
    if constexpr (!kIsPlain) {
      read_tiles(band, pixel, from, styles, per_unit);
    } else if (x_.channels % kDepth == 0) {
      put_zeros(band, pixel, 1);
      read_blocks(band, pixel + 1, from, styles);
    } else {
      read_places(band, pixel, from, styles);
    }
  }

  void read_blocks(const Band& band, int64_t pixel, const float* from, const float* styles) const {
    for (int64_t j = 0; j < x_.width; ++j) {
      for (int64_t block = 0; block < blocks_; ++block, from += kDepth) {
        Floats values[kPlaces];
#pragma GCC unroll 4
        for (int64_t q = 0; q < kPlaces; ++q) {
          fetch_line(from + kAhead + q * kLane);
          values[q] = load(from + q * kLane) * load(styles + block * kDepth + q * kLane);
        }
        put_pixel(band, 0, block, pixel + j, values);
      }
    }
  }

  // For any number of channels: places may belong to pixels further on, or to none.
  void read_places(const Band& band, int64_t pixel, const float* row, const float* styles) const {
    for (int64_t j = -1; j < x_.width; ++j) {
      for (int64_t block = 0; block < blocks_; ++block) {
        Floats values[kPlaces];
        for (int64_t q = 0; q < kPlaces; ++q) {
          const int64_t column = j + shifts_[q], c = block * kDepth + channels_[q];
          const bool is_there = column >= 0 && column < x_.width && c < x_.channels;
          values[q] = is_there ? load(row + column * x_.channels + c) * load(styles + c) : Floats{};
        }
        put_pixel(band, 0, block, pixel + j + 1, values);
      }
    }
  }

  void read_tiles(const Band& band, int64_t pixel, const float* row, const float* styles, const float* per_unit) const {
    const float* const zero = zeros();
    for (int64_t tile = 0; tile < pitch_; ++tile) {
      const Patch from = patch(row, tile, zero);
      for (int64_t block = 0; block < blocks_; ++block) {
        Floats values[kPlanes][kPlaces] = {};
#pragma GCC unroll 4
        for (int64_t q = 0; q < kPlaces; ++q) {
          const int64_t c = block * kDepth + q * kLane;
          if (c >= x_.channels) break;
          Floats planes[kPlanes];
          transform(from, c, load(styles + c), planes);
#pragma GCC unroll 6
          for (int k = 0; k < kPlanes; ++k) values[k][q] = planes[k] * per_unit[k];
        }
#pragma GCC unroll 6
        for (int k = 0; k < kPlanes; ++k) put_pixel(band, k, block, pixel + tile, values[k]);
      }
    }
  }

  Picture x_;
  int64_t rows_below_, pitch_, blocks_;
  int64_t shifts_[kPlaces], channels_[kPlaces];
};

}  // namespace bend

#endif
