// bias_act and its derivatives on CUDA: one pass over memory, however many steps the formula has.
#include "bias_act_check.h"
#include "elementwise.h"
#include "launch.h"

namespace bend {
namespace {

template <bool kStraight, bool kDerived, bool kOwnBiases, typename T>
__global__ void __launch_bounds__(kElementThreads) run_packs(const Elements<T> e) {
  apply_packs<kStraight, kDerived, kOwnBiases>(e, blockIdx.x, threadIdx.x);
}

template <bool kStraight, bool kDerived, typename T>
__global__ void __launch_bounds__(kElementThreads) run_elements(const Elements<T> e) {
  apply_elements<kStraight, kDerived>(e, blockIdx.x, threadIdx.x);
}

template <bool kStraight, bool kDerived, typename T>
void launch_any(const Elements<T>& e, cudaStream_t stream) {
  const bool is_packed = e.is_packed();
  const int64_t blocks = blocks_for(e.count, kElementThreads * (is_packed ? kPacksEach * kWhole<T> : kSinglesEach));
  if (!is_packed) {
    run_elements<kStraight, kDerived><<<blocks, kElementThreads, 0, stream>>>(e);
  } else if (e.has_own_biases()) {
    run_packs<kStraight, kDerived, true><<<blocks, kElementThreads, 0, stream>>>(e);
  } else {
    run_packs<kStraight, kDerived, false><<<blocks, kElementThreads, 0, stream>>>(e);
  }
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

template <typename T>
void launch(const Tensor& x, const Tensor* reference, const std::optional<Tensor>& b, int64_t dim, Tensor& out,
            const BiasAct<compute_t<T>>& p) {
  if (reference) check_beside(x, *reference, "the reference");
  check_beside(x, b, "the bias");
  if (x.numel() == 0) return;
  const OnDevice device(x);
  const cudaStream_t stream = device.stream();
  Elements<T> e{x.const_data_ptr<T>(), nullptr, nullptr, out.mutable_data_ptr<T>(), x.numel(), 1, 1, p};
  if (reference) e.reference = reference->const_data_ptr<T>();
  if (b) {
    e.b = b->const_data_ptr<T>();
    e.step = step_along(x, dim);
    e.size = b->size(0);
  }
  const bool is_straight = is_piecewise_linear(p.act);
  if (p.order == 0) return is_straight ? launch_any<true, false>(e, stream) : launch_any<false, false>(e, stream);
  is_straight ? launch_any<true, true>(e, stream) : launch_any<false, true>(e, stream);
}

Tensor bias_act(const Tensor& x, const std::optional<Tensor>& b, int64_t dim, int64_t act, double alpha, double gain,
                double clamp) {
  check_bias_act(x, b, dim, act);
  Tensor y = fresh_like(x);
  dispatch(x.scalar_type(), "bias_act", [&](auto zero) {
    using T = decltype(zero);
    launch<T>(x, nullptr, b, dim, y, parameters<T>(act, 0, alpha, gain, clamp));
  });
  return y;
}

Tensor bias_act_grad(const Tensor& g, const Tensor& reference, const std::optional<Tensor>& b, int64_t dim, int64_t act,
                     int64_t order, double alpha, double gain, double clamp) {
  check_bias_act_grad(g, reference, b, dim, act, order);
  Tensor out = fresh_like(g);
  dispatch(g.scalar_type(), "bias_act_grad", [&](auto zero) {
    using T = decltype(zero);
    launch<T>(g, &reference, b, dim, out, parameters<T>(act, order, alpha, gain, clamp));
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CUDA, m) {
  m.impl("bias_act", TORCH_BOX(&bend::bias_act));
  m.impl("bias_act_grad", TORCH_BOX(&bend::bias_act_grad));
}
