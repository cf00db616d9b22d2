"""The families cross, albef and tangled in PyTorch: the peers of family_steps.py.

Each gives one vector a video, written with torch.nn's own layers as a user of them would, over
batches padded to their longest. `TorchPairs` makes the loss of pairs of it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

Batch = dict[str, Tensor]


class TorchPairs(nn.Module):
    """Embeddings, tag logits and the loss of pairs, as TorchUniter's.

    Args:
        body: a batch to (2 B, width).
        width: of its vectors.
        tags: columns of the classifier.
        hidden: size of an embedding.
    """

    def __init__(self, body: nn.Module, width: int, tags: int, hidden: int = 256):
        super().__init__()
        self.body = body
        self.project = nn.Linear(width, hidden)
        self.classifier = nn.Linear(hidden, tags)

    def forward(self, batch: Batch) -> Tensor:
        """MSE + KL of the pairs' cosines and the tags' cross-entropy."""
        embedding = self.project(self.body(batch))
        tags = functional.binary_cross_entropy_with_logits(
            self.classifier(embedding).float(), batch["tags"].float()
        )
        unit = functional.normalize(embedding.float()).reshape(len(batch["sim"]), 2, -1)
        cosine = (unit[:, 0] * unit[:, 1]).sum(-1)
        positive, sim = cosine.clamp(1e-6, 1), batch["sim"].clamp(1e-6, 1)
        divergence = (sim * (sim / positive).log()).mean()
        return functional.mse_loss(cosine, batch["sim"]) + divergence + tags


class Words(nn.Module):
    """BERT's embeddings."""

    def __init__(self, encoder):
        super().__init__()
        self.words = nn.Embedding(encoder.vocab_size, encoder.width)
        self.positions = nn.Embedding(encoder.max_positions, encoder.width)
        self.types = nn.Embedding(encoder.type_vocab_size, encoder.width)
        self.norm = nn.LayerNorm(encoder.width, encoder.layer_norm_eps)
        self.dropout = nn.Dropout(encoder.dropout)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.words(ids) + self.positions(places) + self.types(torch.zeros_like(ids))
        return self.dropout(self.norm(x))


def _layers(count: int, width: int, heads: int, inner: int, dropout: float) -> nn.ModuleList:
    made = (
        nn.TransformerEncoderLayer(width, heads, inner, dropout, "gelu", batch_first=True)
        for _ in range(count)
    )
    return nn.ModuleList(made)


def _through(layers: nn.ModuleList, x: Tensor, mask: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x, src_key_padding_mask=~mask)
    return x


class TorchAlbef(nn.Module):
    """Text layers, frame layers, and layers of text that attend to the frames."""

    def __init__(self, model, encoder):
        super().__init__()
        width, rest = encoder.width, (encoder.heads, encoder.intermediate, encoder.dropout)
        self.words = Words(encoder)
        self.text = _layers(encoder.layers - model.fusion_layers, width, *rest)
        self.frames = nn.Linear(1536, width)
        self.places = nn.Embedding(model.max_frames, width)
        self.norm = nn.LayerNorm(width, encoder.layer_norm_eps)
        self.cls = nn.Parameter(torch.zeros(width))
        self.video = _layers(model.frame_layers, width, *rest)
        self.fusion = nn.ModuleList(
            nn.TransformerDecoderLayer(width, *rest, "gelu", batch_first=True)
            for _ in range(model.fusion_layers)
        )

    def forward(self, batch: Batch) -> Tensor:
        text_mask, frame_mask = batch["token_mask"], batch["frame_mask"]
        text = _through(self.text, self.words(batch["token_ids"]), text_mask)
        frames = self.frames(batch["frames"].float())
        frames = self.norm(frames + self.places.weight[: frames.shape[1]])
        first = self.cls.expand(len(frames), 1, -1).to(frames.dtype)
        mask = torch.cat([torch.ones_like(frame_mask[:, :1]), frame_mask], 1)
        video = _through(self.video, torch.cat([first, frames], 1), mask)
        for layer in self.fusion:
            text = layer(
                text, video, tgt_key_padding_mask=~text_mask, memory_key_padding_mask=~mask
            )
        return text[:, 0] + video[:, 0]


class CrossLayer(nn.Module):
    """LXMERT's: one cross-attention for both ways, then a layer of its own for each."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.text = _layers(1, width, heads, inner, dropout)
        self.video = _layers(1, width, heads, inner, dropout)

    def forward(self, text: Tensor, video: Tensor, masks: tuple[Tensor, Tensor]):
        read = self._read(text, video, masks[1]), self._read(video, text, masks[0])
        return _through(self.text, read[0], masks[0]), _through(self.video, read[1], masks[1])

    def _read(self, x: Tensor, other: Tensor, mask: Tensor) -> Tensor:
        found, _ = self.attention(x, other, other, key_padding_mask=~mask, need_weights=False)
        return self.norm(x + self.dropout(found))


class TorchCross(nn.Module):
    """Text layers, projected frames, and LXMERT's layers over both."""

    def __init__(self, model, encoder):
        super().__init__()
        shape = (encoder.width, encoder.heads, encoder.intermediate, encoder.dropout)
        self.words, self.text = Words(encoder), _layers(encoder.layers, *shape)
        self.frames = nn.Linear(1536, encoder.width)
        self.cross = nn.ModuleList(CrossLayer(*shape) for _ in range(model.cross_layers))
        self.pooler = nn.Linear(encoder.width, encoder.width)

    def forward(self, batch: Batch) -> Tensor:
        masks = batch["token_mask"], batch["frame_mask"]
        text = _through(self.text, self.words(batch["token_ids"]), masks[0])
        video = self.frames(batch["frames"].float())
        for layer in self.cross:
            text, video = layer(text, video, masks)
        return self.pooler(text[:, 0]).tanh()


class Stream(nn.Module):
    """One stream's own part of a tangled layer."""

    def __init__(self, width: int, joint: int, inner: int, dropout: float):
        super().__init__()
        self.project, self.output = nn.Linear(width, 3 * joint), nn.Linear(joint, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.expand, self.contract = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = self.norms[0](x + self.dropout(self.output(context)))
        inner = self.contract(functional.gelu(self.expand(x)))
        return self.norms[1](x + self.dropout(inner))


class TangledLayer(nn.Module):
    """Actions ask regions and words; what they find enriches the other's keys and values."""

    def __init__(self, widths: list[int], joint: int, heads: int, inner: list[int], dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.streams = nn.ModuleList(
            Stream(w, joint, i, dropout) for w, i in zip(widths, inner, strict=True)
        )
        self.found = nn.ModuleList(nn.Linear(joint, 2 * joint) for _ in range(2))

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        parts = [s.project(x).chunk(3, -1) for s, x in zip(self.streams, xs, strict=True)]
        ask = parts[2][0]
        av = self._attend(ask, *parts[1][1:], masks[1])
        at = self._attend(ask, *parts[0][1:], masks[0])
        out = []
        for place, (query, key, value) in enumerate(parts):
            if place < 2:
                more = self.found[place]((av, at)[place]).transpose(1, 2)
                more = functional.interpolate(more, key.shape[1]).transpose(1, 2)
                more = more.chunk(2, -1)
                key, value = key + more[0], value + more[1]
            context = self._attend(query, key, value, masks[place])
            out.append(self.streams[place](xs[place], context))
        return out

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (
            x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2) for x in (query, key, value)
        )
        dropout = self.dropout if self.training else 0.0
        found = functional.scaled_dot_product_attention(q, k, v, mask[:, None, None], dropout)
        return found.transpose(1, 2).flatten(2)


class TorchTangled(nn.Module):
    """ActBERT: words, frames as regions, and means of equal spans of frames as actions."""

    def __init__(self, model, encoder):
        super().__init__()
        widths = [encoder.width, model.region_width, encoder.width]
        inner = [encoder.intermediate, model.region_intermediate, model.action_intermediate]
        heads = [encoder.heads, model.region_heads, model.action_heads]
        counts = [encoder.layers, model.region_layers, model.action_layers]
        drop, joint = encoder.dropout, model.tangled_width
        self.tangled_count, self.spans = model.tangled_layers, model.action_spans
        self.words = Words(encoder)
        self.embed = nn.ModuleList(nn.Linear(1536, w) for w in widths[1:])
        self.norms = nn.ModuleList(nn.LayerNorm(w) for w in widths[1:])
        shapes = zip(counts, widths, heads, inner, strict=True)
        self.own = nn.ModuleList(_layers(*shape, drop) for shape in shapes)
        self.tangled = nn.ModuleList(
            TangledLayer(widths, joint, model.tangled_heads, inner, drop)
            for _ in range(self.tangled_count)
        )
        self.poolers = nn.ModuleList(nn.Linear(w, joint) for w in widths)

    def forward(self, batch: Batch) -> Tensor:
        frames, mask = batch["frames"].float(), batch["frame_mask"]
        weights = mask[:, :, None].float()
        mean = (frames * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp(min=1)
        regions = torch.cat([mean, frames], 1)
        actions = functional.adaptive_avg_pool1d(frames.transpose(1, 2), self.spans)
        first = torch.ones_like(mask[:, :1])
        masks = [batch["token_mask"], torch.cat([first, mask], 1), first.expand(-1, self.spans)]
        streams = (regions, actions.transpose(1, 2))
        parts = zip(self.embed, self.norms, streams, strict=True)
        xs = [self.words(batch["token_ids"]), *(norm(layer(x)) for layer, norm, x in parts)]
        before = len(self.own[0]) - self.tangled_count
        xs[0] = _through(self.own[0][:before], xs[0], masks[0])
        for place, tangled in enumerate(self.tangled):
            xs = tangled(xs, masks)
            next_ = (self.own[0][before + place], self.own[1][place], self.own[2][place])
            xs = [_through([layer], x, m) for layer, x, m in zip(next_, xs, masks, strict=True)]
        for name in (1, 2):
            xs[name] = _through(self.own[name][self.tangled_count :], xs[name], masks[name])
        text, region, action = (
            pooler(x[:, 0]).relu() for pooler, x in zip(self.poolers, xs, strict=True)
        )
        return text * region + action


def torch_family(model, encoder, tags: int) -> TorchPairs:
    """The peer of a family's configuration, for an encoder of that shape."""
    body = {"albef": TorchAlbef, "cross": TorchCross, "tangled": TorchTangled}[model.family]
    width = model.tangled_width if model.family == "tangled" else encoder.width
    return TorchPairs(body(model, encoder), width, tags)
