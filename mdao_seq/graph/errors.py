"""What can go wrong with a graph or a PageRank solve; components translate these."""


class InputError(ValueError):
    """A value that PageRank is not defined for; the message names it and where it stands."""


class NotDifferentiable(ArithmeticError):
    """The scores have no derivative at this point; the message names the node."""


class NotConverged(ArithmeticError):
    """A solve that stopped above its tolerance.

    Parameters
    ----------
    residual : float
        How far it came: the smallest residual that was reached.
    tol : float
        The residual that was asked for.
    iterations : int
        Iterations made.
    method : str
        The method that was run.
    advice : str
        What to do about it.
    """

    def __init__(self, residual: float, tol: float, iterations: int, method: str, advice: str):
        # All arguments go to the base class, so that the error can be pickled between processes.
        super().__init__(residual, tol, iterations, method, advice)
        self.residual = residual
        self.tol = tol
        self.iterations = iterations
        self.method = method
        self.advice = advice

    def __str__(self) -> str:
        """How far it came, and what to do."""
        return (
            f'{self.method} came to a residual of {self.residual:.3g} in {self.iterations} '
            f'iterations, above tol={self.tol:.3g}; {self.advice}'
        )
