"""The generator's fast path, for pictures that nobody will differentiate: drawing, and the fakes that train D.

A synthesis layer is one call here (`synthesis_layer`): style, convolution, FIR, demodulation, noise, bias, activation,
gain and clamp without tensors between them (with two where the convolution is torch's), the same as the plain layer to
rounding. `stylegan.layers` asks for it inside the layer's own `forward`, after its `affine` and its noise, so that
forward hooks on every module see what they always see; and weights are read anew at each call, so that whatever changes
them is heard at once. Where it does not serve (gradients on, a compiler tracing, no native kernels, odd channels on a
CPU) it says None and the plain layer computes. Where nobody listens, a whole network's drawing is one native call on a
CPU (`whole`), and on CUDA it is recorded and replayed (`replay`).

`layer`, `rgb`, `dense` and `whole` decide and call, `kernels` are the native operations and `filters` what they take of
a FIR, `readiness` has them compiled at the first heavy use, `replay` records what comes again, `choice` picks the
precision of a machine.
"""

from stylegan.inference.dense import dense_layer
from stylegan.inference.filters import taps_read
from stylegan.inference.layer import synthesis_layer
from stylegan.inference.readiness import prepare_if_heavy
from stylegan.inference.replay import replayed
from stylegan.inference.rgb import rgb_layer
from stylegan.inference.whole import whole_picture

__all__ = [
    "dense_layer",
    "prepare_if_heavy",
    "replayed",
    "rgb_layer",
    "synthesis_layer",
    "taps_read",
    "whole_picture",
]
