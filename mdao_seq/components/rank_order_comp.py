"""Who stays ahead of whom in a ranking."""

import numpy as np

from mdao_seq.components.rank_measure import RankMeasureComp
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.measures import log_margin


class RankOrderConstraintComp(RankMeasureComp):
    """By how much nodes are ahead of others, for constraints ``margin >= 0``.

    The margin of a pair (a, b) is ``log(rank_a / rank_b)``, whatever the size of the scores: 0.1 is
    ahead by some 10 %. Of several b it is that of the one with the highest score, smoothly, and
    never more than that (see `mdao_seq.graph.measures.log_margin`).

    Inputs
    ------
    rank : (n,)
        Scores, above zero, dimensionless.

    Outputs
    -------
    margin : (len(pairs),)
        Natural logarithms.

    Raises
    ------
    openmdao.api.AnalysisError
        If a score of a pair is not above zero.
    ValueError
        If an option is wrong.
    """

    output = 'margin'

    def initialize(self):
        """Declare the options."""
        super().initialize()
        self.options.declare(
            'pairs',
            types=(list, tuple),
            desc='Pairs (a, b) of nodes, by label or number: a is to stay ahead of b. b may be a '
            'list of nodes, or None for all others.',
        )
        self.options.declare(
            'rho',
            types=(int, float),
            default=100.0,
            lower=1e-3,
            desc='Sharpness of the largest of several b: it is taken too large by log(number) / '
            'rho at most, in the margin.',
        )

    def prepared(self):
        """Check the pairs; return the shape of the output."""
        self._pairs = []
        for pair in self.options['pairs']:
            if len(pair) != 2:
                raise InputError(f'pairs has {pair!r}: a pair is (node, node or nodes or None)')
            ahead = self.node(pair[0])
            if pair[1] is None:
                behind = np.delete(np.arange(self.size), ahead)
            else:
                behind = np.array([self.node(b) for b in self._several(pair[1])])
            if not behind.size or ahead in behind:
                raise InputError(f'pairs has {pair!r}: a node cannot be ahead of itself or nobody')
            self._pairs.append((ahead, behind))
        if not self._pairs:
            raise InputError('pairs is empty: at least one is needed')
        return len(self._pairs)

    def _several(self, behind):
        """Return the nodes of a pair's second half, which may be one; its label may be a tuple."""
        graph = self.options['graph']
        is_node = graph is not None and behind in graph
        several = isinstance(behind, list | tuple | set | np.ndarray)
        return behind if several and not is_node else [behind]

    def measured(self, scores):
        """Return the margins and their gradients."""
        made = [log_margin(scores, *pair, self.options['rho']) for pair in self._pairs]
        margins, gradients = zip(*made, strict=True)
        return np.array(margins), np.array(gradients)
