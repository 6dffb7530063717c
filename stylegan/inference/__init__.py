"""The generator's fast path, for pictures that need no gradients: drawing, and the fakes that train D.

A synthesis layer is one call here (`synthesis_layer`): style, convolution, FIR, demodulation, noise, bias, activation,
gain and clamp without tensors between them (with two where the convolution is torch's), equal to the plain layer to
rounding. `stylegan.layers` calls it inside the layer's own `forward`, after its `affine` and its noise, so that forward
hooks on every module see what they always see. Weights are read anew at each call, so that any change to them takes
effect at once. Where the fast path cannot be taken (gradients on, a compiler tracing, no native kernels, odd channels
on a CPU) it returns None, and the plain layer does the work. Without hooks on a network, a whole picture is one native
call on a CPU (`whole`), and on CUDA it is recorded and replayed (`replay`).

`layer`, `rgb`, `dense` and `whole` decide and call; `kernels` are the native operations, `filters` their form of a FIR;
`readiness` compiles them at the first heavy use, `replay` records what is drawn repeatedly, `choice` picks a machine's
precision.
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
