"""The network's operations on tensors: FIR resampling, biased activations, (modulated) convolution.

Each file holds one operation as plain torch, differentiable to any order, since R1 and path-length regularisation
take gradients of gradients.
"""

from stylegan.ops.bias_act import bias_act
from stylegan.ops.conv2d_resample import conv2d_resample
from stylegan.ops.modulated_conv import modulated_conv2d
from stylegan.ops.upfirdn2d import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d

__all__ = [
    "bias_act",
    "conv2d_resample",
    "downsample2d",
    "filter2d",
    "modulated_conv2d",
    "setup_filter",
    "upfirdn2d",
    "upsample2d",
]
