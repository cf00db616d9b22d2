"""What trains a model beside a slow copy of itself: the teacher, queues of its keys, negatives."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import keras
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.numeric import Tensor, l2_normalize
from vidsim.losses.momentum_contrast import distilled_targets, negative_logits
from vidsim.models.albef import Albef
from vidsim.models.hard_negatives import draw_negatives
from vidsim.models.side import Side, joined
from vidsim.models.task_model import TaskModel
from vidsim.objectives.momentum_contrast import MomentumContrastObjective
from vidsim.objectives.objective import Objective

_T = TypeVar("_T")


class MomentumModel(TaskModel):
    """An ALBEF with its momentum teacher and two queues of the teacher's vectors.

    The teacher has no layers of its own: its weights are state, and stand in for the model's while
    the teacher is asked. They follow the model's before every forward pass that trains, as in the
    public code, by weight <- momentum * weight + (1 - momentum) * the model's. Weights that are not
    trained, such as those of a frozen text encoder, have no copy. The teacher has no dropout.

    Args:
        backbone: to be trained.
        objectives: a MomentumContrastObjective among them; its flags say what teacher and queues
            are like.
        head: see TaskModel.

    Attributes:
        teacher: pairs of a weight of the model and the teacher's.
        text_queue: (Q, D) float32, the teacher's vectors of former texts, of length one.
        video_queue: (Q, D) float32, those of videos.
        queue_place: where the next ones go.

    Memory: the trained weights once more, and 2 Q D numbers: 134 MB for 65,536 of 256.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651); He et al. 2020, MoCo (arXiv:1911.05722).

    Raises:
        VidsimError: another family, or no MomentumContrastObjective.
    """

    backbone: Albef

    def __init__(
        self,
        backbone: Albef,
        objectives: Sequence[Objective],
        head: keras.layers.Layer | None = None,
    ):
        super().__init__(backbone, objectives, head, autocast=False)  # state stays as it is
        found = [item for item in objectives if isinstance(item, MomentumContrastObjective)]
        if not found or not isinstance(backbone, Albef):
            raise VidsimError(
                "a momentum teacher needs the family albef and its itc loss; this model is of the "
                f"family {backbone.config.family}, --itc-weight {1 if found else 0}"
            )
        self._itc = found[0]
        contrast, size = found[0].config, backbone.config.hidden_size
        self.teacher = tuple(self._copy(weight) for weight in self._taught())
        unit = _UnitRows()
        self.text_queue = self.add_state("text_queue", (contrast.itc_queue, size), "float32", unit)
        self.video_queue = self.add_state(
            "video_queue", (contrast.itc_queue, size), "float32", unit
        )
        self.queue_place = self.add_state("queue_place", (), "int32")
        self.updates = self.add_state("updates", (), "int32")
        self.draws = keras.random.SeedGenerator()
        self.owned_state = (*self.owned_state, self.draws.state)  # put back with a skipped update

    def _taught(self) -> list[keras.Variable]:
        """The weights of which the teacher has its own."""
        return list(self.backbone.trainable_variables)

    def _copy(self, weight: keras.Variable) -> tuple[keras.Variable, keras.Variable]:
        shadow = self.add_state(f"teacher_{weight.name}", weight.shape)
        shadow.assign(weight)
        return weight, shadow

    # ---- the teacher ---------------------------------------------------------------------------

    def follow(self) -> None:
        """Moves the teacher's weights towards the model's."""
        kept = self._itc.config.itc_momentum
        for weight, shadow in self.teacher:
            now = ops.cast(ops.convert_to_tensor(weight.value), "float32")
            shadow.assign(kept * shadow.value + (1 - kept) * now)

    def teach(self, ask: Callable[[], _T]) -> _T:
        """What a function of the model gives with the teacher's weights; no gradient goes into it.

        Args:
            ask: calls the model without dropout.
        """
        shadows = {id(weight): shadow for weight, shadow in self.teacher}
        variables = [*self.backbone.variables, *(weight for weight, _ in self.teacher)]
        mapping = [(v, shadows.get(id(v), v).value) for v in variables]
        with keras.StatelessScope(state_mapping=mapping):
            return ask()

    @property
    def share(self) -> Tensor:
        """The teacher's share now: alpha, after its rise."""
        config = self._itc.config
        risen = 1.0
        if config.itc_alpha_steps:
            done = ops.cast(self.updates.value, "float32")
            risen = ops.minimum(done / config.itc_alpha_steps, 1.0)
        return ops.cast(config.itc_alpha * risen, "float32")

    # ---- contrast with its keys ------------------------------------------------------------------

    def contrast(
        self,
        sides: tuple[Side, Side],
        taught: tuple[Side, Side],
        hard: Tensor,
    ) -> dict[str, Tensor]:
        """Cosines with the teacher's keys and their targets, for a MomentumContrastObjective.

        Args:
            sides: texts and videos of the model.
            taught: the same of the teacher.
            hard: (B, K) what is known, see `shared_targets`.
        """
        keys = [
            ops.concatenate([self.replicas.gather(side.feature), queue.value])  # (K, D)
            for side, queue in zip(taught, (self.text_queue, self.video_queue), strict=True)
        ]
        found = {}
        for own, other, cosines, targets in (
            (0, 1, schema.TEXT_COSINES, schema.TEXT_TARGETS),
            (1, 0, schema.VIDEO_COSINES, schema.VIDEO_TARGETS),
        ):
            columns = ops.transpose(keys[other])
            found[cosines] = ops.matmul(sides[own].feature, columns)
            logits = ops.matmul(taught[own].feature, columns) / self.temperature
            found[targets] = distilled_targets(hard, logits, self.share)
        return found

    @property
    def temperature(self) -> Tensor:
        """The learned one, without gradient."""
        return ops.stop_gradient(self._itc.temperature)

    def enqueue(self, taught: tuple[Side, Side]) -> None:
        """Puts the batch's keys in the place of the oldest ones."""
        size = self._itc.config.itc_queue
        if not size:
            return
        for side, queue in zip(taught, (self.text_queue, self.video_queue), strict=True):
            rows = self.replicas.gather(side.feature)
            queue.assign(ops.scatter_update(queue.value, self.next_places(rows)[:, None], rows))
        count = ops.shape(self.replicas.gather(taught[0].feature))[0]
        self.queue_place.assign((self.queue_place.value + count) % size)

    def next_places(self, rows: Tensor) -> Tensor:
        """(B,) the places in a queue that so many new rows go to."""
        count = ops.shape(rows)[0]
        places = ops.cast(self.queue_place.value, "int32") + ops.arange(count, dtype="int32")
        return places % self._itc.config.itc_queue

    # ---- hard negatives ------------------------------------------------------------------------

    def negatives(
        self, cosines: Mapping[str, Tensor], related: Tensor, training: bool | None
    ) -> tuple[Tensor, Tensor]:
        """For each text a video that is not its own, for each video such a text: (B,) each.

        Drawn by the softmax of scaled cosines with the teacher's keys, over the whole batch; the
        likeliest ones where nothing is trained. Places are those in the whole batch.

        Args:
            cosines: of `contrast`.
            related: (B, N) True where a row of the batch belongs to a row of the whole batch.
            training: whether to draw.
        """
        count = related.shape[1] or ops.shape(related)[1]
        found = []
        for name in (schema.TEXT_COSINES, schema.VIDEO_COSINES):
            logits = negative_logits(cosines[name][:, :count] / self.temperature, related)
            found.append(self.draw(logits, training))
        return found[0], found[1]

    def draw(self, logits: Tensor, training: bool | None) -> Tensor:
        """One row of the whole batch for each row, as `draw_negatives`: (B, N) -> (B,)."""
        return draw_negatives(logits, self.draws, self.replicas, training)

    def fused_with_negatives(
        self, sides: tuple[Side, Side], chosen: tuple[Tensor, Tensor], training: bool | None
    ) -> tuple[Tensor, Tensor]:
        """Fuses the rows, each text with a wrong video, and each video with a wrong text.

        Args:
            sides: texts and videos.
            chosen: of `negatives`.
            training: whether to drop.

        Returns:
            the fused states (B, L, width) of the rows themselves; and match vectors (3B, W), of the
            rows, of texts with wrong videos, of wrong texts.
        """
        text, video = sides
        all_texts, all_videos = (side.gathered(self.replicas) for side in sides)
        texts = joined([text, text, all_texts.take(chosen[1])])
        videos = joined([video, all_videos.take(chosen[0]), video])
        fused = self.backbone.fuse(texts, videos, training)
        return fused[: ops.shape(text.mask)[0]], self.backbone.match_vector(fused, texts.mask)

    def own_rows(self, side: Side) -> Tensor:
        """(B, N) True where a row of the batch is the row of the whole batch."""
        rows = ops.shape(side.mask)[0]
        first = self.replicas.first_row(rows)
        places = first + ops.arange(rows)
        return ops.equal(places[:, None], ops.arange(rows * self.replicas.count)[None, :])


class _UnitRows(keras.initializers.Initializer):
    """Random rows of length one, as the published queues begin."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        return l2_normalize(keras.random.normal(shape, dtype="float32"))
