"""The one exception that means "the user can mend this"."""


class VidsimError(Exception):
    """A mistake in the input, the configuration or the environment.

    The message says what came, where, and what is accepted. The command line prints it without a
    traceback and exits with status 1; anything else that escapes is a defect of vidsim.
    """
