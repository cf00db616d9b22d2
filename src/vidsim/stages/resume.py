"""Where a training run begins: at the step where it was interrupted, or anew."""

from vidsim.stages.step_record import StepRecord
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.training_state import TrainingState


def resume(record: StepRecord, states: StateKeeper) -> TrainingState | None:
    """The state that an interrupted run of this very configuration left, else an empty one.

    In the second case, what is left of another run is removed and this one's configuration noted.

    Returns:
        None where the run is done.
    """
    if record.is_done():
        states.clear()  # the run may have been killed just before that
        return None
    state = states.latest() if record.is_begun() else None
    if state is None:
        record.discard()
        record.begin()
        return TrainingState()
    print(f"{record.title}: goes on after step {state.step}", flush=True)
    return state
