"""Networks of other kinds, recognised by name, so that a refusal can say what a file is and not only what it is not.

Only names are looked at: of classes, of modules, and of the keys of state dicts. That executes nothing, and a wrong
guess only puts a wrong word into a refusal.
"""

from collections.abc import Iterable, Mapping

__all__ = ["CLASSES", "SYNTHESES", "describe_stranger", "hint_of"]

CLASSES: Mapping[str, str] = {
    "ProjectedDiscriminator": "StyleGAN-XL or projected GAN",
    "SuperresGenerator": "StyleGAN-XL",
    "TriPlaneGenerator": "EG3D",
    "DualDiscriminator": "EG3D",
    "EDMPrecond": "EDM, a diffusion model",
    "VPPrecond": "EDM, a diffusion model",
    "VEPrecond": "EDM, a diffusion model",
}
"""Classes of networks in the official pickles' form, and whose they are."""
SYNTHESES: Mapping[str, str] = {
    "SynthesisNetwork": "StyleGAN3 or StyleGAN-XL",
    "FastganSynthesis": "FastGAN (projected GAN)",
    "FastganSynthesisCond": "FastGAN (projected GAN)",
}
"""Classes of synthesis networks that do not begin with a block `b4`, and whose they are."""
_MODULES: Mapping[str, str] = {
    "timm": "a StyleGAN-XL or projected-GAN network?",
    "pg_modules": "a StyleGAN-XL or projected-GAN network?",
    "torch.nn": "a whole PyTorch module; save its state_dict",
    "stylegan": "a network of ours pickled by its class; write it with stylegan.checkpoint.save_network",
    "training": "a network pickled by its class; only those of the official tools are read",
    "pytorch_lightning": "a PyTorch Lightning checkpoint",
    "lightning": "a PyTorch Lightning checkpoint",
    "omegaconf": "a Stable Diffusion checkpoint?",
    "ldm": "a Stable Diffusion checkpoint?",
    "transformers": "a language model?",
    "diffusers": "a diffusion model",
    "ultralytics": "a YOLO detector",
    "keras": "a Keras model",
    "tensorflow": "a TensorFlow model",
    "jax": "a JAX checkpoint",
    "sklearn": "a scikit-learn model",
    "pandas": "a pandas table",
    "PIL": "a pickled picture",
}
# A part of a key -> what has keys like it; the first that fits.
_KEYS: Mapping[str, str] = {
    "model.diffusion_model.": "a Stable Diffusion checkpoint",
    "stylegan_decoder": "a GFPGAN face restorer",
    "GE.S.": "a network of lucidrains' stylegan2-pytorch, an architecture of its own",
    "G.blocks.": "a network of lucidrains' stylegan2-pytorch, an architecture of its own",
    "decoder.convs.": "an encoder (pSp, e4e) around a rosinality generator; pass that generator's own file",
    "generator.g_synthesis.": "a StyleGAN1 network",
    "g_synthesis.": "a StyleGAN1 network",
    "to_rgb.0.conv.": "a StyleGAN1 or progressive GAN network",
    "synthesis.input.": "a StyleGAN3 state dict without its settings",
    "synthesis.b4.": "a state dict without its settings",
    "lora_": "a LoRA",
}
_MAX_DEPTH = 2
_MAX_KEYS = 4096


def hint_of(module: str) -> str:
    """What a file with a global of `module` seems to be, in brackets after a blank; empty where that is unknown."""
    for prefix, what in _MODULES.items():
        if f"{module}.".startswith(f"{prefix}."):
            return f" ({what})"
    return ""


def describe_stranger(root: object) -> str:
    """What an unpickled object seems to be that is not a network of ours; empty where that is unknown."""
    keys = _keys(root)
    for part, what in _KEYS.items():
        if any(part in key for key in keys):
            return what
    return ""


def _keys(value: object, depth: int = 0) -> list[str]:
    """Names in a dictionary, and in those that it holds, up to a limit."""
    if type(value) is not dict:
        return []
    keys = [key for key in _first(value) if type(key) is str]
    if depth < _MAX_DEPTH:
        for inner in _first(value.values(), limit=32):
            keys += _keys(inner, depth + 1)
    return keys[:_MAX_KEYS]


def _first(items: Iterable[object], limit: int = _MAX_KEYS) -> list[object]:
    return [item for item, _ in zip(items, range(limit), strict=False)]
