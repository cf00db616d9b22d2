"""ALBEF's finetuning for retrieval, and its evaluation, against arrays of the published code."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from published_albef import batch, build, close, golden, load, momentum_name, named, ours

from vidsim import schema
from vidsim.metrics.retrieval import RetrievalEvaluator
from vidsim.models.match_scorer import StateMatch
from vidsim.models.momentum_retrieval import MomentumRetrieval
from vidsim.models.retrieval_head import RetrievalHead
from vidsim.objectives.momentum_configs import MomentumContrastConfig, RetrievalMatchConfig
from vidsim.tasks.retrieval.match_blend import match_matrix
from vidsim.tasks.retrieval.scoring import nearest

PREFIX = "text_encoder."
NAMES = ("neg_image_idx_for_text", "neg_text_idx_for_image")


class Fed(MomentumRetrieval):
    """Takes its negatives from the arrays, and keeps the probabilities it would draw by."""

    def draw(self, logits, training):
        self.drawn = [*getattr(self, "drawn", []), ops.convert_to_numpy(ops.softmax(logits))]
        return ops.convert_to_tensor(self.fed[len(self.drawn) - 1])


@pytest.fixture(scope="module")
def arrays():
    return golden("albef_retrieval.npz")


def model_of(arrays, alpha):
    with pytest.MonkeyPatch.context() as patch:
        backbone = build(arrays, patch, PREFIX)
    configs = (
        MomentumContrastConfig(
            itc_queue=arrays["queue0/idx_queue"].shape[1], itc_alpha=float(alpha)
        ),
        RetrievalMatchConfig(match_weight=1.0),
    )
    head = RetrievalHead(backbone.width)
    model = Fed(backbone, [config.build(backbone) for config in configs], head)
    heads = {"itm_head.weight": head.match.kernel, "itm_head.bias": head.match.bias}
    variables = named(backbone, model.objectives, PREFIX)
    load(arrays, variables | {name: v for name, v in heads.items() if f"w0/{name}" in arrays})
    kept = {id(weight): shadow for weight, shadow in model.teacher}
    for name, variable in variables.items():
        if id(variable) in kept:
            kept[id(variable)].assign(ours(variable, arrays[f"w0/{momentum_name(name)}"]))
    model.text_queue.assign(arrays["queue0/text_queue"].T)
    model.video_queue.assign(arrays["queue0/image_queue"].T)
    model.row_queue.assign(arrays["queue0/idx_queue"][0])
    model.queue_place.assign(arrays["queue0/queue_ptr"][0])
    model.fed, model.drawn = [arrays[f"out/{name}"] for name in NAMES], []
    return model


def pairs(arrays):
    """Sentence and video of each row as TwoTower's inputs; what a side lacks is hidden."""
    made = batch(arrays, "in")
    found = {schema.VIDEO_ROW: arrays["in/idx"]}
    for key, value in made.items():
        side = 0 if key.startswith("token") else 1
        sides = [np.zeros_like(value), np.zeros_like(value)]
        sides[side] = value
        found[key] = np.stack(sides, axis=1)
    return found


def test_one_step_of_finetuning(arrays):
    """Several sentences of one video, in the batch and in the queue; queues after the step."""
    model, inputs = model_of(arrays, arrays["in/alpha"]), pairs(arrays)
    outputs = model(inputs, training=True)
    total = model.compute_loss(x=inputs, y_pred=outputs)
    parts = {part.name: float(part.result()) for part in model.parts}
    assert parts["itc"] == pytest.approx(float(arrays["out/loss_ita"]), rel=1e-5)
    assert parts["match"] == pytest.approx(float(arrays["out/loss_itm"]), rel=1e-5)
    assert float(total) == pytest.approx(sum(parts.values()), rel=1e-6)
    close(outputs[schema.MATCH_LOGITS], arrays["out/itm_logits"], "itm_logits", 1e-4)
    for drawn, name in zip(
        model.drawn, ("neg_image_weights_t2i", "neg_text_weights_i2t"), strict=True
    ):
        weights = arrays[f"out/{name}"]
        close(drawn, weights / weights.sum(axis=1, keepdims=True), name)
    for queue, name in (
        (model.text_queue, "text_queue"),
        (model.video_queue, "image_queue"),
        (model.row_queue, "idx_queue"),
    ):
        close(queue, arrays[f"queue1/{name}"].T.reshape(queue.shape), name)
    assert int(model.queue_place.numpy()) == arrays["queue1/queue_ptr"][0]


def test_what_is_known_is_shared_by_all_of_a_video(arrays):
    model = model_of(arrays, 0.0)
    outputs = model(pairs(arrays), training=True)
    close(outputs[schema.TEXT_TARGETS], arrays["out/hard_targets"], "hard_targets")
    loss = float(model.objectives[0](outputs, {}))
    expected = float(arrays["out/loss_ita_without_distillation"])
    assert loss == pytest.approx(expected, rel=1e-5)


def test_two_stage_evaluation(arrays):
    """The code sorts by the logit of "matches" alone; metrics of its own scores, without ties."""
    model = model_of(arrays, 0.0)
    backbone = model.backbone
    inputs = batch(arrays, "eval")
    texts, videos = backbone.text_side(inputs), backbone.video_side(inputs)
    features = [side.feature.numpy() for side in (texts, videos)]
    count = int(arrays["eval/k_test"])
    scorer = StateMatch(backbone, model.head)
    for own, name in ((1, "score_i2t"), (0, "score_t2i")):
        expected = arrays[f"eval/{name}"]
        places = nearest(features[own], features[1 - own], count)
        rows = np.repeat(np.arange(len(places)), count)
        chosen = [rows, places.reshape(-1)] if own == 0 else [places.reshape(-1), rows]
        sides = {}
        for side, label, where in zip((texts, videos), ("text", "frame"), chosen, strict=True):
            sides[f"{label}_states"] = tf.gather(side.states, where)
            sides[f"{label}_mask"] = tf.gather(side.mask, where)
        logits = model.head(scorer.vectors(sides)).numpy()
        matrix = match_matrix(places, logits[:, 1].reshape(places.shape), expected.shape[1], -100)
        close(matrix, expected, name, 1e-4)
        np.testing.assert_allclose(scorer(sides), logits[:, 1] - logits[:, 0], rtol=1e-5)
    evaluate = RetrievalEvaluator(arrays["metrics/txt2img"], arrays["metrics/score_i2t"].shape[0])
    report = evaluate.report_of_scores(arrays["metrics/score_t2i"], arrays["metrics/score_i2t"])
    for ours_, theirs in (("v2t", "txt"), ("t2v", "img")):
        for k in (1, 5, 10):
            expected = float(arrays[f"metrics/metric_{theirs}_r{k}"])
            assert report.metrics[f"{ours_}_R@{k}"] == pytest.approx(expected, rel=1e-5)
    assert report.metrics["r_mean"] == pytest.approx(float(arrays["metrics/metric_r_mean"]))
