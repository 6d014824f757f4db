"""How even a ranking is."""

from mdao_seq.components.rank_measure import RankMeasureComp
from mdao_seq.graph.measures import entropy


class RankEntropyComp(RankMeasureComp):
    """Shannon's entropy of the scores, divided by that of equal ones.

    Inputs
    ------
    rank : (n,)
        Scores, not negative, dimensionless.

    Outputs
    -------
    entropy : (1,)
        From 0, where one node has all, to 1, where all have the same.

    Raises
    ------
    openmdao.api.AnalysisError
        If a score is negative or not finite, or their sum is not above zero, or derivatives are
        asked for where one is zero.
    """

    output = 'entropy'

    def prepared(self):
        """Return the shape of the output."""
        return 1

    def measured(self, scores):
        """Return the entropy and its gradient."""
        return entropy(scores)
