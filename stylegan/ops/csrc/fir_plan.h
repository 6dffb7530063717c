// Filtering one row of a picture along x on a CPU: which taps meet which samples, found once per call, and two ways to
// do it. A pixel is `depth` neighbouring elements: all channels where those come last, one where they come first.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "fir.h"
#include "fir_sum.h"

namespace bend {

// A tap that applies to the outputs of one phase: its place in the row of taps, and the sample that it meets for the
// phase's first output. For the next output it meets the sample `in_stride` further on.
struct Tap {
  int64_t index, sample;
};

// `count` outputs, `out_stride` apart from `first` on, and the taps that meet the picture for all of them.
struct Run {
  int64_t first, count;
  std::vector<Tap> taps;
};

// What all rows of a call share. Outputs whose places differ by `out_stride` meet the same taps, at samples that lie
// `in_stride` apart.
template <typename A>
struct Plan {
  Fir p;
  int64_t depth;
  int64_t in_stride, out_stride;
  std::vector<A> column, row;  // taps in the order of a correlation
};

inline std::vector<Tap> taps_of_phase(const Fir& p, int64_t phase) {
  std::vector<Tap> taps;
  int64_t tap, sample;
  first_tap(phase, p.up_x, p.down_x, p.pad_x, &tap, &sample);
  for (; tap < p.taps_w; tap += p.up_x, ++sample) taps.push_back({tap, sample});
  return taps;
}

template <typename A>
int64_t count_of_phase(const Plan<A>& plan, int64_t phase) {
  return (plan.p.out_w - phase + plan.out_stride - 1) / plan.out_stride;
}

// Rows of deep pixels: filtered where they lie, in runs of outputs that meet the same taps.
template <typename T, typename A = compute_t<T>>
class DeepRow {
 public:
  explicit DeepRow(const Plan<A>& plan) : plan_(plan) {
    for (int64_t phase = 0; phase < std::min(plan.out_stride, plan.p.out_w); ++phase) find_runs(phase);
  }

  void filter(const T* row, A* to) {
    const int64_t depth = plan_.depth, in = plan_.in_stride * depth, out = plan_.out_stride * depth;
    for (const Run& run : runs_) {
      terms_.clear();
      for (const Tap& tap : run.taps) terms_.add(row + tap.sample * depth, plan_.row[tap.index]);
      A* at = to + run.first * depth;
      if (plan_.in_stride == 1 && plan_.out_stride == 1) {
        sum_terms<false>(terms_, 0, at, run.count * depth);
      } else {
        for (int64_t i = 0; i < run.count; ++i) sum_terms<false>(terms_, i * in, at + i * out, depth);
      }
    }
  }

 private:
  void find_runs(int64_t phase) {
    const int64_t count = count_of_phase(plan_, phase), in = plan_.in_stride;
    const std::vector<Tap> taps = taps_of_phase(plan_.p, phase);
    std::vector<int64_t> begins, ends, cuts = {0, count};  // where taps start and stop meeting the picture
    for (const Tap& tap : taps) {
      begins.push_back(std::clamp<int64_t>(-floor_div(tap.sample, in), 0, count));
      ends.push_back(std::clamp<int64_t>(floor_div(plan_.p.in_w - 1 - tap.sample, in) + 1, 0, count));
      cuts.insert(cuts.end(), {begins.back(), ends.back()});
    }
    std::sort(cuts.begin(), cuts.end());
    for (size_t c = 0; c + 1 < cuts.size(); ++c) {
      if (cuts[c] == cuts[c + 1]) continue;
      Run run{phase + cuts[c] * plan_.out_stride, cuts[c + 1] - cuts[c], {}};
      for (size_t t = 0; t < taps.size(); ++t) {
        if (begins[t] <= cuts[c] && cuts[c] < ends[t]) {
          run.taps.push_back({taps[t].index, taps[t].sample + cuts[c] * in});
        }
      }
      runs_.push_back(std::move(run));
    }
  }

  const Plan<A>& plan_;
  std::vector<Run> runs_;
  Terms<T> terms_;
};

// Copies `count` pixels that lie strides apart. The strides that matter are known to the compiler.
template <typename T, typename U>
void copy_pixels(const T* from, int64_t from_stride, U* to, int64_t to_stride, int64_t count, int64_t depth) {
  using A = compute_t<T>;
  if (from_stride == 1 && to_stride == 1) {
    int64_t i = 0;
    for (; i + kLanes<T> <= count * depth; i += kLanes<T>) store(to + i, load(from + i));
    for (; i < count * depth; ++i) to[i] = static_cast<U>(static_cast<A>(from[i]));
  } else if (depth == 1 && from_stride == 2 && to_stride == 1) {
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<U>(static_cast<A>(from[2 * i]));
  } else if (depth == 1 && from_stride == 1 && to_stride == 2) {
    for (int64_t i = 0; i < count; ++i) to[2 * i] = static_cast<U>(static_cast<A>(from[i]));
  } else {
    for (int64_t i = 0; i < count; ++i) {
      const T* pixel = from + i * from_stride * depth;
      for (int64_t c = 0; c < depth; ++c) to[i * to_stride * depth + c] = static_cast<U>(static_cast<A>(pixel[c]));
    }
  }
}

// Rows of shallow pixels: first padded with zeros, so that every tap meets something, and rearranged so that samples a
// stride apart lie side by side and vectors hold neighbouring outputs.
template <typename T, typename A = compute_t<T>>
class ShallowRow {
 public:
  explicit ShallowRow(const Plan<A>& plan) : plan_(plan) {
    int64_t least = 0, most = plan.p.in_w - 1;
    for (int64_t phase = 0; phase < std::min(plan.out_stride, plan.p.out_w); ++phase) {
      const int64_t count = count_of_phase(plan, phase);
      phases_.push_back({phase, count, taps_of_phase(plan.p, phase)});
      for (const Tap& tap : phases_.back().taps) {
        least = std::min(least, tap.sample);
        most = std::max(most, tap.sample + (count - 1) * plan.in_stride);
      }
    }
    before_ = (-least + plan.in_stride - 1) / plan.in_stride;
    each_ = (before_ + most / plan.in_stride + 1) * plan.depth + kLanes<A>;
    widened_ = Buffer<A>(each_ * plan.in_stride + kLanes<A>);
    spread_ = Buffer<A>(plan.p.out_w * plan.depth + kLanes<A>);
  }

  void filter(const T* row, A* to) {
    widen(row);
    const int64_t depth = plan_.depth, stride = plan_.out_stride;
    for (const Run& phase : phases_) {
      terms_.clear();
      for (const Tap& tap : phase.taps) terms_.add(widened_.data() + place(tap.sample), plan_.row[tap.index]);
      if (stride == 1) {
        sum_terms<true>(terms_, 0, to, phase.count * depth);
        continue;
      }
      sum_terms<true>(terms_, 0, spread_.data(), phase.count * depth);
      copy_pixels<A, A>(spread_.data(), 1, to + phase.first * depth, stride, phase.count, depth);
    }
  }

 private:
  int64_t place(int64_t sample) const {
    const int64_t stride = plan_.in_stride, turn = floor_div(sample, stride);
    return (sample - turn * stride) * each_ + (before_ + turn) * plan_.depth;
  }

  void widen(const T* row) {
    const int64_t depth = plan_.depth, stride = plan_.in_stride, width = plan_.p.in_w;
    for (int64_t first = 0; first < std::min(stride, width); ++first) {
      const int64_t count = (width - first + stride - 1) / stride;
      copy_pixels<T, A>(row + first * depth, stride, widened_.data() + place(first), 1, count, depth);
    }
  }

  const Plan<A>& plan_;
  std::vector<Run> phases_;
  int64_t before_, each_;  // zeros before, in pixels, and the length of one stride's samples
  Buffer<A> widened_, spread_;
  Terms<A> terms_;
};

}  // namespace bend
