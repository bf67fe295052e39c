"""The root of every error a user can cause, and the ones the model room raises itself."""


class RetargetError(Exception):
    """A problem the user can act on: the message is one line naming the thing, what is wrong and what to do.

    `exit_code` is what the command line ends with: 2 for usage or bad input, 1 for a failure midway.
    """

    exit_code = 2


class UnknownActionUnitError(RetargetError, KeyError):
    """A name that is no action unit of the schema; the message suggests the nearest."""

    def __str__(self) -> str:  # KeyError would print its argument quoted
        return str(self.args[0]) if self.args else ""


class CheckpointError(RetargetError, ValueError):
    """A checkpoint file that cannot be read or does not fit this version, schema or crop."""


class FaceNetworksError(RetargetError, ValueError):
    """The file of the face networks is missing, damaged or another one."""
