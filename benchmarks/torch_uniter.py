"""Uniter in PyTorch on transformers' BertModel: the peer of training_step.py.

What vidsim's finetuning computes, written as a user of transformers would.
"""

import torch
from torch import nn
from torch.nn import functional
from transformers import BertConfig, BertModel


class TorchUniter(nn.Module):
    """Words and frames through one BERT of 12 layers; a loss of pairs out."""

    def __init__(self, words: int, tags: int, hidden: int = 256):
        super().__init__()
        config = BertConfig(vocab_size=words)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.frames = nn.Sequential(nn.Linear(1536, config.hidden_size), nn.ReLU())
        self.project = nn.Linear(config.hidden_size, hidden)
        self.classifier = nn.Linear(hidden, tags)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """MSE + KL of the pairs' cosines and the tags' cross-entropy."""
        words = self.bert.embeddings.word_embeddings(batch["token_ids"])
        frames = self.frames(batch["frames"].float()).to(words.dtype)
        mask = torch.cat([batch["token_mask"], batch["frame_mask"]], 1)
        hidden = self.bert(
            inputs_embeds=torch.cat([words, frames], 1), attention_mask=mask.long()
        ).last_hidden_state
        length = words.shape[1]
        pooled = 0.5 * (
            _mean(hidden[:, :length], batch["token_mask"])
            + _mean(hidden[:, length:], batch["frame_mask"])
        )
        embedding = self.project(pooled)
        tags = functional.binary_cross_entropy_with_logits(
            self.classifier(embedding).float(), batch["tags"].float()
        )
        unit = functional.normalize(embedding.float()).reshape(len(batch["sim"]), 2, -1)
        cosine = (unit[:, 0] * unit[:, 1]).sum(-1)
        positive = cosine.clamp(1e-6, 1)
        sim = batch["sim"].clamp(1e-6, 1)
        divergence = (sim * (sim / positive).log()).mean()
        return functional.mse_loss(cosine, batch["sim"]) + divergence + tags


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask[:, :, None].to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
