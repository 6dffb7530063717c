// upfirdn2d on a CPU. Filters that are products of a column and a row, as all of the network's are, run as two passes
// that share the cache: an input row is filtered along x once, kept while output rows need it, and an output row is a
// weighted sum of the kept ones. A picture is rows of pixels, a pixel `depth` neighbouring elements: all channels where
// those come last, one where they come first. Other filters are summed tap by tap.
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "fir_blur.h"
#include "fir_plan.h"
#include "fir_tensors.h"
#include "operations.h"

namespace bend {
namespace {

constexpr int64_t kDeep = 16;  // from this depth on, a single pixel fills vectors

// Output rows `from` to `to`, counted across all pictures.
template <typename T, typename Row, typename A = compute_t<T>>
void filter_rows(const Plan<A>& plan, const T* x, T* out, int64_t from, int64_t to) {
  const Fir& p = plan.p;
  const int64_t in_size = p.in_w * plan.depth, out_size = p.out_w * plan.depth;
  const int64_t slot_size = with_slack<A>(out_size);
  Row row(plan);
  Buffer<A> kept(p.taps_h * slot_size);
  std::vector<int64_t> held(p.taps_h, -1);
  Terms<A> terms;
  for (int64_t i = from; i < to; ++i) {
    int64_t tap, sample;
    first_tap(i % p.out_h, p.up_y, p.down_y, p.pad_y, &tap, &sample);
    terms.clear();
    for (; tap < p.taps_h; tap += p.up_y, ++sample) {
      if (sample < 0 || sample >= p.in_h) continue;
      const int64_t number = i / p.out_h * p.in_h + sample, slot = number % p.taps_h;
      A* filtered = kept.data() + slot * slot_size;
      if (held[slot] != number) {
        row.filter(x + number * in_size, filtered);
        held[slot] = number;
      }
      terms.add(filtered, plan.column[tap]);
    }
    sum_terms<true>(terms, 0, out + i * out_size, out_size);
  }
}

// Finds the column and the row whose product a filter is; false if it is not one, to rounding. Taps are in the order of
// a correlation.
template <typename A>
bool split(const Fir& p, const std::vector<A>& taps, Plan<A>* plan) {
  const auto largest = std::max_element(taps.begin(), taps.end(), [](A a, A b) { return std::abs(a) < std::abs(b); });
  const int64_t at = largest - taps.begin(), pivot_y = at / p.taps_w, pivot_x = at % p.taps_w;
  const A pivot = *largest, bound = 8 * std::numeric_limits<A>::epsilon() * std::abs(pivot);
  if (!(std::abs(pivot) > 0) || !(bound < std::numeric_limits<A>::infinity())) return false;
  for (int64_t y = 0; y < p.taps_h; ++y) plan->column.push_back(taps[y * p.taps_w + pivot_x] / pivot);
  for (int64_t x = 0; x < p.taps_w; ++x) plan->row.push_back(taps[pivot_y * p.taps_w + x]);
  for (int64_t i = 0; i < static_cast<int64_t>(taps.size()); ++i) {
    if (!(std::abs(plan->column[i / p.taps_w] * plan->row[i % p.taps_w] - taps[i]) <= bound)) return false;
  }
  return true;
}

// Any filter at all, one output at a time.
template <typename T, typename A = compute_t<T>>
void filter_any(const Fir& p, bool is_last, const A* taps, const T* x, T* out) {
  const int64_t depth = is_last ? p.channels : 1, in_size = p.in_h * p.in_w * depth, out_size = p.out_w * depth;
  const int64_t pictures = is_last ? p.batch : p.batch * p.channels;
  torch::stable::parallel_for(0, pictures * p.out_h, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const T* picture = x + i / p.out_h * in_size;
      for (int64_t j = 0; j < out_size; ++j) {
        out[i * out_size + j] = static_cast<T>(
            fir_at(p, picture + j % depth, p.in_w * depth, depth, taps, i % p.out_h, j / depth));
      }
    }
  });
}

template <typename T, typename A = compute_t<T>>
void filter(const Fir& p, bool is_last, const Tensor& f, A gain, const T* x, T* out) {
  const A* given = f.const_data_ptr<A>();
  std::vector<A> taps(p.taps_h * p.taps_w), ordered(p.taps_h * p.taps_w);
  for (int64_t i = 0; i < p.taps_h * p.taps_w; ++i) {
    taps[i] = (f.dim() == 1 ? given[i / p.taps_w] * given[i % p.taps_w] : given[i]) * gain;
  }
  for (int64_t i = 0; i < p.taps_h * p.taps_w; ++i) ordered[i] = taps[p.tap(i / p.taps_w, i % p.taps_w)];
  const int64_t common = std::gcd(p.up_x, p.down_x);
  Plan<A> plan{p, is_last ? p.channels : 1, p.down_x / common, p.up_x / common, {}, {}};
  if (!split(p, ordered, &plan)) return filter_any(p, is_last, taps.data(), x, out);
  const int64_t pictures = is_last ? p.batch : p.batch * p.channels, rows = pictures * p.out_h;
  if (plan.depth >= kDeep && is_blur(p)) return blur(plan, x, out, pictures);
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, p.out_w * plan.depth));
  torch::stable::parallel_for(0, rows, grain, [&](int64_t from, int64_t to) {
    if (plan.depth < kDeep) return filter_rows<T, ShallowRow<T>>(plan, x, out, from, to);
    filter_rows<T, DeepRow<T>>(plan, x, out, from, to);
  });
}

}  // namespace

Tensor upfirdn2d(const Tensor& x, const Tensor& f, int64_t up_x, int64_t up_y, int64_t down_x, int64_t down_y,
                 int64_t pad_x0, int64_t pad_x1, int64_t pad_y0, int64_t pad_y1, bool flip_filter, double gain) {
  const Fir p = make_fir(x, f, {up_x, up_y, down_x, down_y}, {pad_x0, pad_x1, pad_y0, pad_y1}, flip_filter);
  const bool is_last = !is_planar(x);
  Tensor y = empty_picture(x, p, is_last);
  dispatch(x.scalar_type(), "upfirdn2d", [&](auto zero) {
    using T = decltype(zero);
    using A = compute_t<T>;
    filter(p, is_last, f, static_cast<A>(gain), x.const_data_ptr<T>(), y.mutable_data_ptr<T>());
  });
  return y;
}

}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("upfirdn2d", TORCH_BOX(&bend::upfirdn2d)); }
