"""What can go wrong with a recurrent network; components translate these."""


class InputError(ValueError):
    """A value that the network is not defined for; the message names the signal and the place."""


class WeightFileError(ValueError):
    """A file that is not a whole model of a version known here; the message names the file."""


class TrainingDiverged(ArithmeticError):
    """Training came to a loss that is not finite; the message names the epoch and the remedy."""
