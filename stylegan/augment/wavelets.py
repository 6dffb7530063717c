"""Low-pass taps of two orthogonal wavelets: the least asymmetric of Daubechies, of 2 and 6 vanishing moments.

From I. Daubechies, Ten Lectures on Wavelets (1992), sections 6.4 and 8.1: sym2 is her four-tap wavelet,
`(1 ± √3, 3 ± √3) / (4√2)`; sym6 is solved numerically. Taps are scaled to sum √2, so that each is orthonormal
to its shifts by two.
"""

__all__ = ["SYM2", "SYM6"]

SYM2 = (-0.12940952255126034, 0.22414386804201336, 0.83651630373780790, 0.48296291314453414)

SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
