"""The one exception that means "the user can mend this", and one for a run that was stopped."""

import contextlib
import re
from collections.abc import Iterator


class VidsimError(Exception):
    """A mistake in the input, the configuration or the environment.

    The message says what came, where, and what is accepted. The command line prints it without a
    traceback and exits with its status; anything else that escapes is a defect of vidsim.

    Attributes:
        status: of the process, 1.
    """

    status = 1


class FolderInUse(VidsimError):
    """Another process works on the folder: the same command may go through later.

    Attributes:
        status: of the process, 75 (EX_TEMPFAIL of sysexits.h).
    """

    status = 75


class Interrupted(KeyboardInterrupt):
    """The user stopped a run, and its state is saved; the message says how to go on."""


@contextlib.contextmanager
def unwrapped() -> Iterator[None]:
    """Within it, a VidsimError that a tf.data pipeline wrapped in its own error is itself again.

    What a pipeline's Python function raises is text in TensorFlow's error, its traceback included.
    """
    try:
        yield
    except VidsimError:
        raise
    except Exception as error:
        found = re.search(r"VidsimError: (.+?)\n+Traceback", str(error), re.DOTALL)
        if found is None:
            raise
        raise VidsimError(found[1]) from error
