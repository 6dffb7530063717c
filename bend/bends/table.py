"""The table of bends: for each name, what the bend does, its parameters and its properties.

A new bend is a function in the file of its kind, a row here, and a test of its maths. The contract test, the grammar,
every render and the page in `docs/` pick it up from the table.
"""

from bend.bends import channels, filters, geometry, memory, morphology, pointwise, weights
from bend.bends.row import Bend, MemoryBend, Parameter, SignalBend, WeightBend

__all__ = ["BENDS"]

_ANY = 1e6
_SEED = Parameter(name="seed", low=0, high=2**31 - 1, default=0, is_whole=True)
_DEGREES = Parameter(name="degrees", low=-_ANY, high=_ANY)
_FRACTION = Parameter(name="fraction", low=0, high=1)
_ALL_FILTERS = Parameter(name="fraction", low=0, high=1, default=1)
_FILTERS = ("conv", "torgb", "affine", "mapping", "const")
_KERNELS = ("conv", "torgb", "const")


_POINTWISE: dict[str, Bend] = {
    "ablate": SignalBend(does="silence: 0", apply=pointwise.ablate, is_differentiable=False),
    "invert": SignalBend(does="1 - x", apply=pointwise.invert),
    "multiply": SignalBend(
        does="k x",
        apply=pointwise.multiply,
        parameters=(Parameter(name="factor", low=-_ANY, high=_ANY),),
        neutral=(1,),
        example=(2,),
    ),
    "add": SignalBend(
        does="x + k",
        apply=pointwise.add,
        parameters=(Parameter(name="amount", low=-_ANY, high=_ANY),),
        neutral=(0,),
        example=(1,),
    ),
    "threshold": SignalBend(
        does="1 where x > t, else 0",
        apply=pointwise.threshold,
        parameters=(Parameter(name="level", low=-_ANY, high=_ANY),),
        example=(0.5,),
        is_differentiable=False,
    ),
    "fold": SignalBend(does="|x|", apply=pointwise.fold),
    "drive": SignalBend(
        does="tanh(g x): saturation",
        apply=pointwise.drive,
        parameters=(Parameter(name="gain", low=-_ANY, high=_ANY),),
        example=(2,),
    ),
    "posterise": SignalBend(
        does="n values only",
        apply=pointwise.posterise,
        parameters=(Parameter(name="levels", low=1.5, high=4096),),
        example=(4,),
        is_differentiable=False,
    ),
    "grain": SignalBend(
        does="seeded noise, in standard deviations of the signal",
        apply=pointwise.grain,
        parameters=(Parameter(name="sigma", low=0, high=1000), _SEED),
        neutral=(0, 0),
        example=(0.5, 3),
    ),
}

_GEOMETRY: dict[str, Bend] = {
    "flip-h": SignalBend(does="left and right exchanged", apply=geometry.flip_h, is_spatial=True),
    "flip-v": SignalBend(does="up and down exchanged", apply=geometry.flip_v, is_spatial=True),
    "mirror-h": SignalBend(does="the left half twice", apply=geometry.mirror_h, is_spatial=True),
    "mirror-v": SignalBend(does="the upper half twice", apply=geometry.mirror_v, is_spatial=True),
    "translate": SignalBend(
        does="moved by fractions of width and height",
        apply=geometry.translate,
        parameters=(
            Parameter(name="dx", low=-8, high=8),
            Parameter(name="dy", low=-8, high=8, default=0),
        ),
        neutral=(0, 0),
        example=(0.25, -0.125),
        is_spatial=True,
        takes_edge=True,
    ),
    "scale": SignalBend(
        does="magnified about the centre",
        apply=geometry.scale,
        parameters=(Parameter(name="factor", low=0.01, high=100),),
        neutral=(1,),
        example=(1.3,),
        is_spatial=True,
        takes_edge=True,
    ),
    "rotate": SignalBend(
        does="turned about the centre, counter-clockwise",
        apply=geometry.rotate,
        parameters=(_DEGREES,),
        neutral=(0,),
        example=(30,),
        is_spatial=True,
        takes_edge=True,
    ),
    "swirl": SignalBend(
        does="turned at the centre, fixed at the rim",
        apply=geometry.swirl,
        parameters=(_DEGREES,),
        neutral=(0,),
        example=(90,),
        is_spatial=True,
        takes_edge=True,
    ),
    "wave": SignalBend(
        does="rows shifted along a sine",
        apply=geometry.wave,
        parameters=(
            Parameter(name="amount", low=-8, high=8),
            Parameter(name="waves", low=0, high=1000, default=2),
            Parameter(name="phase", low=-_ANY, high=_ANY, default=0),
        ),
        neutral=(0, 2, 0),
        example=(0.1, 2, 0.25),
        is_spatial=True,
        takes_edge=True,
    ),
}

_RADIUS = Parameter(name="radius", low=0, high=64)
_NEIGHBOURHOOD: dict[str, Bend] = {
    "erode": SignalBend(
        does="least value under an ellipse of radius r",
        apply=morphology.erode,
        parameters=(_RADIUS,),
        neutral=(0,),
        example=(1.5,),
        is_spatial=True,
    ),
    "dilate": SignalBend(
        does="greatest value under an ellipse of radius r",
        apply=morphology.dilate,
        parameters=(_RADIUS,),
        neutral=(0,),
        example=(1.5,),
        is_spatial=True,
    ),
    "blur": SignalBend(
        does="Gaussian of sigma pixels",
        apply=filters.blur,
        parameters=(Parameter(name="sigma", low=0, high=64),),
        neutral=(0,),
        example=(1.5,),
        is_spatial=True,
    ),
    "sharpen": SignalBend(
        does="unsharp mask",
        apply=filters.sharpen,
        parameters=(Parameter(name="amount", low=-100, high=100),),
        neutral=(0,),
        example=(2,),
        is_spatial=True,
    ),
    "sobel": SignalBend(does="steepness: edges only", apply=filters.sobel, is_spatial=True),
    "median": SignalBend(
        does="median of (2r+1)² pixels",
        apply=filters.median,
        parameters=(Parameter(name="radius", low=0, high=8, default=1, is_whole=True),),
        neutral=(0,),
        example=(1,),
        is_spatial=True,
    ),
}

_CHANNELS: dict[str, Bend] = {
    "shuffle": SignalBend(
        does="channels in a random order", apply=channels.shuffle, parameters=(_SEED,), example=(5,)
    ),
    "roll": SignalBend(
        does="channels moved on by n",
        apply=channels.roll,
        parameters=(Parameter(name="steps", low=-_ANY, high=_ANY),),
        neutral=(0,),
        example=(2.5,),
    ),
}

_MEMORY: dict[str, Bend] = {
    "freeze": MemoryBend(
        does="the map of another seed, or (-1) that of the film's first frame",
        apply=memory.freeze,
        parameters=(
            Parameter(
                name="seed", low=memory.FIRST_FRAME, high=2**32 - 1, default=memory.FIRST_FRAME, is_whole=True
            ),
        ),
        example=(7,),
        remembers=lambda seed: seed == memory.FIRST_FRAME,
        settles=lambda seed: None if seed == memory.FIRST_FRAME else 0,
    ),
    "feedback": MemoryBend(
        does="plus g times what left this layer d frames ago",
        apply=memory.feedback,
        parameters=(
            Parameter(name="gain", low=-100, high=100),
            Parameter(name="frames", low=1, high=1000, default=1, is_whole=True),
        ),
        neutral=(0, 1),
        example=(0.6, 3),
        remembers=lambda gain, frames: True,
        settles=memory.frames_to_settle,
    ),
}

_WEIGHTS: dict[str, Bend] = {
    "perturb": WeightBend(
        does="W + sigma std(W) eps",
        apply=weights.perturb,
        parameters=(Parameter(name="sigma", low=0, high=1000), _SEED),
        neutral=(0, 0),
        example=(0.3, 1),
        kinds=_FILTERS,
    ),
    "zero": WeightBend(
        does="a fraction of the filters silenced",
        apply=weights.zero,
        parameters=(_ALL_FILTERS, _SEED),
        neutral=(0, 0),
        example=(0.3, 1),
        kinds=_FILTERS,
    ),
    "negate": WeightBend(
        does="a fraction of the filters with signs changed",
        apply=weights.negate,
        parameters=(_ALL_FILTERS, _SEED),
        neutral=(0, 0),
        example=(0.5, 1),
        kinds=_FILTERS,
    ),
    "permute": WeightBend(
        does="a fraction of the filters reshuffled",
        apply=weights.permute,
        parameters=(_ALL_FILTERS, _SEED),
        neutral=(0, 0),
        example=(0.5, 1),
        kinds=_FILTERS,
    ),
    "swap": WeightBend(
        does="a fraction of the filters exchanged in pairs",
        apply=weights.swap,
        parameters=(_ALL_FILTERS, _SEED),
        neutral=(0, 0),
        example=(0.5, 1),
        kinds=_FILTERS,
    ),
    "quantise": WeightBend(
        does="rounded to 2^bits values",
        apply=weights.quantise,
        parameters=(Parameter(name="bits", low=1, high=32),),
        neutral=(32,),
        example=(2,),
        kinds=_FILTERS,
    ),
    "prune": WeightBend(
        does="the fraction nearest to zero set to zero",
        apply=weights.prune,
        parameters=(_FRACTION,),
        neutral=(0,),
        example=(0.7,),
        kinds=_FILTERS,
    ),
    "svd": WeightBend(
        does="the r greatest singular values kept",
        apply=weights.svd,
        parameters=(Parameter(name="rank", low=0, high=_ANY),),
        neutral=(_ANY,),
        example=(4.5,),
        kinds=_FILTERS,
    ),
    "spectrum": WeightBend(
        does="singular values remapped: s_max (s / s_max)^p",
        apply=weights.spectrum,
        parameters=(Parameter(name="power", low=0, high=16),),
        neutral=(1,),
        example=(0.5,),
        kinds=_FILTERS,
    ),
    "turn": WeightBend(
        does="kernels or the constant turned by quarter turns",
        apply=weights.turn,
        parameters=(Parameter(name="quarters", low=-_ANY, high=_ANY, default=1, is_whole=True),),
        neutral=(0,),
        example=(1,),
        kinds=_KERNELS,
    ),
    "kernel-flip-h": WeightBend(
        does="kernels or the constant, left and right exchanged", apply=weights.kernel_flip_h, kinds=_KERNELS
    ),
    "kernel-flip-v": WeightBend(
        does="kernels or the constant, up and down exchanged", apply=weights.kernel_flip_v, kinds=_KERNELS
    ),
    "halves": WeightBend(
        does="the constant's left and right halves swapped", apply=weights.halves, kinds=("const",)
    ),
    "normalise": WeightBend(
        does="the constant's maps with mean 0, deviation 1", apply=weights.normalise, kinds=("const",)
    ),
    "gain": WeightBend(
        does="k W after the demodulation; in a convolution, after its activation",
        apply=pointwise.multiply,
        parameters=(Parameter(name="factor", low=-_ANY, high=_ANY),),
        neutral=(1,),
        example=(2,),
        kinds=("conv", "torgb", "affine", "mapping", "bias", "noise"),
        names=("weight", "bias"),
    ),
}

BENDS: dict[str, Bend] = _POINTWISE | _GEOMETRY | _NEIGHBOURHOOD | _CHANNELS | _MEMORY | _WEIGHTS
"""All bends by name."""
