"""What TensorBoard is shown, read back from the file that it reads."""

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event

from vidsim.stages.tensorboard_log import TensorBoardLog


def test_tags_stand_under_train_and_val(tmp_path):
    log = TensorBoardLog(tmp_path)
    log(20, {"loss": 2.5, "lr": 0.5, "gradient_norm": 3.0})
    log(20, {"val_spearman": 0.25})
    (path,) = tmp_path.iterdir()
    events = [
        Event.FromString(record) for record in tf.data.TFRecordDataset(path).as_numpy_iterator()
    ]
    found = {
        value.tag: (event.step, float(tf.make_ndarray(value.tensor)))
        for event in events
        for value in event.summary.value
    }
    assert found == {
        "train/loss": (20, 2.5),
        "train/lr": (20, 0.5),
        "train/gradient_norm": (20, 3.0),
        "val/spearman": (20, 0.25),
    }
