"""How much of a ranking the first few hold."""

from numbers import Integral

import numpy as np

from mdao_seq.components.rank_measure import RankMeasureComp
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.measures import top_share


class TopShareComp(RankMeasureComp):
    """The share that the k highest scores hold of the sum of all.

    Smooth where nodes change places, and never below the true share, nor above it by more than
    ``smoothing * H(k / n)``, H(p) = -p log p - (1 - p) log(1 - p), which is at most 0.69 (see
    `mdao_seq.graph.measures.top_share`).

    Inputs
    ------
    rank : (n,)
        Scores, not negative, dimensionless.

    Outputs
    -------
    top_share : (1,)
        From k / n to 1, and what the smoothing adds, dimensionless.

    Raises
    ------
    openmdao.api.AnalysisError
        If a score is negative or not finite, or their sum is not above zero.
    ValueError
        If an option is wrong.
    """

    output = 'top_share'

    def initialize(self):
        """Declare the options."""
        super().initialize()
        self.options.declare('k', types=Integral, lower=1, desc='How many are the first, below n.')
        self.options.declare(
            'smoothing',
            types=(int, float),
            default=0.05,
            lower=0.0,
            desc='Differences of scores that are smoothed over, relative to their mean; 0: none, '
            'and no derivative where two change places.',
        )

    def prepared(self):
        """Check k; return the shape of the output."""
        if self.options['k'] >= self.size:
            raise InputError(f'k = {self.options["k"]}: must be below the {self.size} scores')
        if not self.options['smoothing'] < np.inf:
            raise InputError(f'smoothing = {self.options["smoothing"]}: must be finite')
        return 1

    def measured(self, scores):
        """Return the share and its gradient."""
        return top_share(scores, self.options['k'], self.options['smoothing'])
