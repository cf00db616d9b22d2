"""The project's own models, losses and optimizer as functions of a state and a made batch."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import keras
import numpy as np

from vidsim import schema
from vidsim.models.configs import build_backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.flops import TRAINING, VideoShape, forward_flops
from vidsim.models.input_spec import InputSpec
from vidsim.models.pair_scorer import PairScorer
from vidsim.models.task_model import TaskModel
from vidsim.objectives.objective import build_objectives
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.records.sample import FRAME_WIDTH
from vidsim.training.optimizer import build_optimizer

STAGES = ("pretrain", "finetune", "embed")
COMPARED_ROWS = 8
_LABELS = {"tiny": 100, "small": 1000, "base": 10000}
_SEED = 42


@dataclass(frozen=True)
class Setting:
    """A recipe as it is built here.

    Attributes:
        recipe: its name.
        size: tiny, small or base.
        dtype: Keras dtype policy.
        dropout: whether there is any.
    """

    recipe: str
    size: str
    dtype: str = "float32"
    dropout: bool = True


class Stage:
    """One stage of one recipe: its compiled step, state and batches.

    Args:
        setting: what to build.
        stage: one of STAGES.
        optimized: whether XLA optimizes the step for the processor.

    Attributes:
        videos_per_row: 2 where a row of a batch is a pair.
        flops_per_video: see vidsim.models.flops.
        step: (state, batch) -> (what the host wants to know, new state); compiled, and the old
            state is gone after.
        state: the first; nothing else refers to its arrays.
    """

    def __init__(self, setting: Setting, stage: str, optimized: bool = True):
        self.setting, self.stage = setting, stage
        keras.config.set_dtype_policy(setting.dtype)
        keras.utils.set_random_seed(_SEED)
        (self._recipe,) = registry.load(setting.recipe, setting.size)
        if not setting.dropout:
            none = {"dropout": 0.0, "encoder_dropout": 0.0, "feature_dropout": 0.0}
            self._recipe = self._recipe.but(model=none)
        model = self._recipe.model
        encoder = model.encoder(model.vocab_size)
        spec = InputSpec(encoder, _LABELS[setting.size], {schema.FRAMES: FRAME_WIDTH})
        self._backbone = build_backbone(model, spec)
        masked = stage == "pretrain" and self._recipe.pretrain.masked_lm.weight > 0
        self._slots = -(-15 * model.bert_seq_length // 100) if masked else 0
        self.videos_per_row = 2 if stage == "finetune" else 1
        self.shape = VideoShape(model.bert_seq_length, model.max_frames, self._slots)
        forward = forward_flops(model, spec, self.shape)
        self.flops_per_video = forward if stage == "embed" else TRAINING * forward
        step, self.state = self._embedding() if stage == "embed" else self._training()
        options = None if optimized else {"xla_backend_optimization_level": 0}
        self.step = jax.jit(step, donate_argnums=0, compiler_options=options)

    def _training(self):
        """Keras' own stateless step of the task; what it reports are the losses."""
        config, backbone = getattr(self._recipe, self.stage), self._backbone
        kind, more = (PairScorer, (schema.COSINE,)) if self.stage == "finetune" else (TaskModel, ())
        available = (*backbone.output_keys, *more)
        task = kind(backbone, build_objectives(objectives(config), backbone, available))
        optimizer = build_optimizer(
            config.optimizer, backbone, config.total_steps, config.total_steps
        )
        optimizer.build(task.trainable_variables)
        task.compile(optimizer=optimizer, jit_compile=True)
        variables = (
            task.trainable_variables,
            task.non_trainable_variables,
            optimizer.variables,
            task.metrics_variables,
        )
        return task.train_step, _values(variables)

    def _embedding(self):
        model = EmbeddingModel(self._backbone)

        def embed(state, batch):
            return model.stateless_call(*state, batch)[0], state

        variables = (model.trainable_variables, model.non_trainable_variables)
        return embed, _values(variables)

    def batch(self, rows: int, seed: int) -> dict[str, np.ndarray]:
        """A made batch, on the host: titles and frames of full length, nothing padded.

        Shapes: as `TaskModel` and `PairScorer` read them, B = rows.
        """
        rng, shape = np.random.default_rng([_SEED, seed]), self.shape
        lead = (rows, 2) if self.stage == "finetune" else (rows,)
        vocabulary = self._recipe.model.vocab_size
        made = {
            schema.TOKEN_IDS: rng.integers(5, vocabulary, (*lead, shape.words), "int32"),
            schema.TOKEN_MASK: np.ones((*lead, shape.words), bool),
            schema.FRAMES: rng.standard_normal(
                (*lead, shape.frames, FRAME_WIDTH), "float32"
            ).astype("float16"),
            schema.FRAME_MASK: np.ones((*lead, shape.frames), bool),
        }
        if self.stage == "embed":
            return made
        tags = self._backbone.spec.num_labels
        made[schema.TAGS] = (rng.random((*lead, tags)) < 5 / tags).astype("uint8")
        if self.stage == "finetune":
            made[schema.SIM] = rng.random(rows, "float32")
        if self._slots:
            places = rng.permuted(np.tile(np.arange(shape.words), (rows, 1)), axis=1)
            made[schema.MLM_POSITIONS] = places[:, : self._slots].astype("int32")
            made[schema.MLM_LABELS] = rng.integers(5, vocabulary, (rows, self._slots), "int32")
            made[schema.MLM_WEIGHTS] = np.ones((rows, self._slots), "float32")
        return made


def first_losses(
    setting: Setting, stage: str, steps: int, device: jax.Device, optimized: bool = True
) -> list[float]:
    """Losses of the first updates from the seed's weights, computed on the device in full float32.

    Dropout is on: JAX draws the same numbers on every device.
    """
    with jax.default_device(device), jax.default_matmul_precision("highest"):
        work = Stage(setting, stage, optimized)
        state, losses = work.state, []
        for number in range(steps):
            logs, state = work.step(state, work.batch(COMPARED_ROWS, number))
            state = _without_metrics(state)
            losses.append(float(logs["loss"]))
    return losses


def _values(variables):
    return tuple([jnp.copy(item.value) for item in part] for part in variables)


def _without_metrics(state):
    """The means of losses start anew."""
    return (*state[:3], [jnp.zeros_like(value) for value in state[3]])
