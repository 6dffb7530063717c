// Four by four taps over deep pixels, without up- or downsampling, on a CPU: several rows of outputs are made together,
// in registers.
#pragma once

#include <algorithm>
#include <vector>

#include "fir_plan.h"
#include "tensors.h"

namespace bend {

// The blur that follows every upsampling convolution. Output rows are made four at a time, from seven input rows, so
// that each of these is filtered along x once for all four and stays in registers.
constexpr int64_t kBlurTaps = 4, kBlurRows = 4, kBlurInputs = kBlurRows + kBlurTaps - 1;

inline bool is_blur(const Fir& p) {
  return p.taps_h == kBlurTaps && p.taps_w == kBlurTaps && p.up_x == 1 && p.up_y == 1 && p.down_x == 1 && p.down_y == 1;
}

// Four rows of outputs and what they are made from.
template <typename T, typename A = compute_t<T>>
struct BlurBlock {
  const T* in[kBlurInputs];
  T* out[kBlurRows];  // null for none
  A column[kBlurTaps];
};

// `n` elements from `at` on, whose taps along x meet the elements `shift[k]` of the input rows with weight `row[k]`.
template <typename T, typename A = compute_t<T>>
void blur_stretch(const BlurBlock<T>& block, const int64_t* shift, const A* row, int64_t at, int64_t n) {
  using V = vector_t<T>;
  constexpr int64_t L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    V sums[kBlurRows] = {};
#pragma GCC unroll 7
    for (int64_t r = 0; r < kBlurInputs; ++r) {
      V filtered{};
#pragma GCC unroll 4
      for (int64_t k = 0; k < kBlurTaps; ++k) filtered += load(block.in[r] + shift[k] + i) * row[k];
#pragma GCC unroll 4
      for (int64_t o = 0; o < kBlurRows; ++o) {
        if (r >= o && r < o + kBlurTaps) sums[o] += filtered * block.column[r - o];
      }
    }
#pragma GCC unroll 4
    for (int64_t o = 0; o < kBlurRows; ++o) {
      if (block.out[o] != nullptr) store(block.out[o] + at + i, sums[o]);
    }
  }
  for (; i < n; ++i) {
    for (int64_t o = 0; o < kBlurRows && block.out[o] != nullptr; ++o) {
      A sum = A(0);
      for (int64_t y = 0; y < kBlurTaps; ++y) {
        for (int64_t k = 0; k < kBlurTaps; ++k) {
          sum += static_cast<A>(block.in[o + y][shift[k] + i]) * row[k] * block.column[y];
        }
      }
      block.out[o][at + i] = static_cast<T>(sum);
    }
  }
}

// A block's pixels: those for which all taps meet the picture at once, the others one by one, with only the taps that
// do.
template <typename T, typename A = compute_t<T>>
void blur_block(const Plan<A>& plan, const BlurBlock<T>& block) {
  const Fir& p = plan.p;
  const int64_t first = std::clamp<int64_t>(p.pad_x, 0, p.out_w);
  const int64_t last = std::clamp<int64_t>(p.in_w - kBlurTaps + 1 + p.pad_x, first, p.out_w);
  for (int64_t x = 0; x < p.out_w;) {
    const int64_t count = x == first && last > first ? last - first : 1;
    int64_t shift[kBlurTaps], met = 0;
    A row[kBlurTaps];
    for (int64_t k = 0; k < kBlurTaps; ++k) {
      const int64_t sample = x + k - p.pad_x;
      const bool is_met = sample >= 0 && sample < p.in_w;
      if (is_met) met = sample;
      shift[k] = is_met ? sample * plan.depth : -1;
      row[k] = is_met ? plan.row[k] : A(0);
    }
    for (int64_t& s : shift) s = s < 0 ? met * plan.depth : s;  // a tap without weight reads where another does
    blur_stretch(block, shift, row, x * plan.depth, count * plan.depth);
    x += count;
  }
}

template <typename T, typename A = compute_t<T>>
void blur(const Plan<A>& plan, const T* x, T* out, int64_t pictures) {
  const Fir& p = plan.p;
  const int64_t in_size = p.in_w * plan.depth, out_size = p.out_w * plan.depth;
  const int64_t blocks = (p.out_h + kBlurRows - 1) / kBlurRows;
  const std::vector<T> zeros(in_size, T(0));  // for rows outside
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, kBlurRows * out_size));
  torch::stable::parallel_for(0, pictures * blocks, grain, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t picture = i / blocks, y = i % blocks * kBlurRows;
      BlurBlock<T> block;
      std::copy_n(plan.column.begin(), kBlurTaps, block.column);
      for (int64_t r = 0; r < kBlurInputs; ++r) {
        const int64_t sample = y + r - p.pad_y;
        const bool is_inside = sample >= 0 && sample < p.in_h;
        block.in[r] = is_inside ? x + (picture * p.in_h + sample) * in_size : zeros.data();
      }
      for (int64_t o = 0; o < kBlurRows; ++o) {
        block.out[o] = y + o < p.out_h ? out + (picture * p.out_h + y + o) * out_size : nullptr;
      }
      blur_block(plan, block);
    }
  });
}

}  // namespace bend
