"""The mapping network: latent z and label c to intermediate latents ws (arXiv 1812.04948, 1912.04958).

Also owns the running mean of w, `w_avg`, towards which truncation pulls.
"""

import torch
from torch import Tensor, nn

from stylegan import inference
from stylegan.layers import DenseLayer, normalize_2nd_moment

__all__ = ["MappingNetwork"]


class MappingNetwork(nn.Module):
    """A stack of dense layers from normalised (z, c) to w, broadcast to `num_ws` copies.

    Args:
        z_dim: width of z, 0 for none.
        c_dim: width of the label, 0 for none.
        w_dim: width of w.
        num_ws: copies of w to return, None for a single `[N, w_dim]`.
        num_layers: number of dense layers.
        embed_features: width of the embedded label, `w_dim` if None.
        layer_features: width of the layers between, `w_dim` if None.
        activation: a name in `stylegan.ops.bias_act.ACTIVATIONS`.
        lr_multiplier: learning rate relative to the rest of the network.
        w_avg_beta: decay of the running mean of w, None to keep none.

    Raises:
        ValueError: no layers, or nothing to map.
    """

    fc0: DenseLayer
    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, not {num_layers}")
        if z_dim < 1 and c_dim < 1:
            raise ValueError("z_dim and c_dim are both 0: the mapping network has no input")
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.num_ws = num_ws
        self.num_layers = num_layers
        self.w_avg_beta = w_avg_beta
        embed_features = 0 if c_dim == 0 else (w_dim if embed_features is None else embed_features)
        layer_features = w_dim if layer_features is None else layer_features
        widths = [z_dim + embed_features, *[layer_features] * (num_layers - 1), w_dim]
        if c_dim > 0:
            self.embed = DenseLayer(c_dim, embed_features)
        for i in range(num_layers):
            layer = DenseLayer(widths[i], widths[i + 1], activation=activation, lr_multiplier=lr_multiplier)
            setattr(self, f"fc{i}", layer)
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros([w_dim]))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        skip_w_avg_update: bool = False,
    ) -> Tensor:
        """Map latents to ws.

        Args:
            z: `[N, z_dim]`, or None where z_dim is 0.
            c: `[N, c_dim]`, or None for an unconditional network.
            truncation_psi: 1 leaves w alone, 0 gives `w_avg`.
            truncation_cutoff: number of leading ws to truncate, None for all.
            skip_w_avg_update: leave `w_avg` alone in training mode.

        Returns:
            `[N, num_ws, w_dim]` float, or `[N, w_dim]` where num_ws is None.

        Raises:
            ValueError: z or c of the wrong width, no label where one is needed, or truncation without `w_avg`.
        """
        moves_average = self.w_avg_beta is not None and self.training and not skip_w_avg_update
        has_label = self.c_dim > 0 or (c is not None and c.shape[-1:] != (0,))
        is_number = type(truncation_psi) in (int, float)
        if z is not None and is_number and not has_label and not moves_average:
            settings = (truncation_psi, truncation_cutoff)
            ws = inference.replayed(self, z, settings, lambda z: self._map(z, c, *settings, moves_average))
            if ws is not None:
                return ws
        return self._map(z, c, truncation_psi, truncation_cutoff, moves_average)

    def _map(
        self,
        z: Tensor | None,
        c: Tensor | None,
        truncation_psi: float,
        truncation_cutoff: int | None,
        moves_average: bool,
    ) -> Tensor:
        x = self._normalized_input(z, c)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        if self.num_ws is None:
            return x
        if moves_average:
            assert self.w_avg_beta is not None
            self.w_avg.copy_(x.detach().mean(dim=0).lerp(self.w_avg, self.w_avg_beta))
        ws = x[:, None].expand(-1, self.num_ws, -1)
        if truncation_psi == 1:
            return ws.clone()
        if self.w_avg_beta is None:
            raise ValueError("this network keeps no w_avg to truncate towards; use truncation_psi=1")
        truncated = self.w_avg.lerp(ws, truncation_psi)
        if truncation_cutoff is None or truncation_cutoff >= self.num_ws:
            return truncated
        return torch.cat([truncated[:, :truncation_cutoff], ws[:, truncation_cutoff:]], dim=1)

    def _normalized_input(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        parts = []
        dtype = self.fc0.weight.dtype
        if self.z_dim > 0:
            if z is None or z.ndim != 2 or z.shape[1] != self.z_dim:
                got = None if z is None else tuple(z.shape)
                raise ValueError(f"z must have shape [N, {self.z_dim}], not {got}")
            parts.append(normalize_2nd_moment(z.to(dtype)))
        if self.c_dim > 0:
            if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
                got = None if c is None else tuple(c.shape)
                raise ValueError(
                    f"this network is conditional: c must have shape [N, {self.c_dim}], not {got}"
                )
            parts.append(normalize_2nd_moment(self.embed(c.to(dtype))))
        elif c is not None and c.shape[-1:] != (0,):
            raise ValueError(f"this network is unconditional: c must be None or [N, 0], not {tuple(c.shape)}")
        return torch.cat(parts, dim=1)
