// bias_act and its derivatives on CUDA: one pass over memory, however many steps the formula has.
#include "bias_act_check.h"
#include "elementwise.h"
#include "launch.h"

namespace bend {
namespace {

template <bool kStraight, typename T>
__global__ void __launch_bounds__(kThreads) run_elements(const Elements<T> e) {
  apply_pack<kStraight>(e, static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x);
}

template <typename T>
void launch(const Tensor& x, const Tensor* reference, const std::optional<Tensor>& b, int64_t dim, Tensor& out,
            const BiasAct<compute_t<T>>& p) {
  if (x.numel() == 0) return;
  const OnDevice device(x);
  Elements<T> e{x.const_data_ptr<T>(), nullptr, nullptr, out.mutable_data_ptr<T>(), x.numel(), 1, 1, true, p};
  if (reference) e.reference = reference->const_data_ptr<T>();
  if (b) {
    e.b = b->const_data_ptr<T>();
    e.step = step_along(x, dim);
    e.size = b->size(0);
  }
  const auto lies_on = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; };
  e.is_aligned = lies_on(e.x) && lies_on(e.reference) && lies_on(e.out);
  const int64_t blocks = blocks_for(e.count, kThreads * kPack<T>);
  if (is_piecewise_linear(p.act)) {
    run_elements<true><<<blocks, kThreads, 0, device.stream()>>>(e);
  } else {
    run_elements<false><<<blocks, kThreads, 0, device.stream()>>>(e);
  }
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

Tensor bias_act(const Tensor& x, const std::optional<Tensor>& b, int64_t dim, int64_t act, double alpha, double gain,
                double clamp) {
  check_bias_act(x, b, dim, act);
  Tensor y = torch::stable::empty_like(x);
  dispatch(x.scalar_type(), "bias_act", [&](auto zero) {
    using T = decltype(zero);
    launch<T>(x, nullptr, b, dim, y, parameters<compute_t<T>>(act, 0, alpha, gain, clamp));
  });
  return y;
}

Tensor bias_act_grad(const Tensor& g, const Tensor& reference, const std::optional<Tensor>& b, int64_t dim, int64_t act,
                     int64_t order, double alpha, double gain, double clamp) {
  check_bias_act_grad(g, reference, b, dim, act, order);
  Tensor out = torch::stable::empty_like(g);
  dispatch(g.scalar_type(), "bias_act_grad", [&](auto zero) {
    using T = decltype(zero);
    launch<T>(g, &reference, b, dim, out, parameters<compute_t<T>>(act, order, alpha, gain, clamp));
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CUDA, m) {
  m.impl("bias_act", TORCH_BOX(&bend::bias_act));
  m.impl("bias_act_grad", TORCH_BOX(&bend::bias_act_grad));
}
