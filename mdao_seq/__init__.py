"""OpenMDAO components for sequences and rankings, and finite differences that hold.

Every public name lives here and is resolved when it is first used, so that ``import mdao_seq``
imports neither OpenMDAO nor numba.
"""

from importlib import import_module
from typing import Any

__version__ = '0.1.0'

_HOME_OF = {
    'Declaration': 'differences.declaration',
    'EvaluationPlan': 'differences.plan',
    'PerOutputFD': 'approximation.per_output_fd',
    'hold_declarations': 'approximation.holding',
    'hold_all_declarations': 'approximation.holding',
    'fd_cost': 'approximation.cost',
    'fd_audit': 'approximation.audit',
    'FDAudit': 'approximation.audit',
    'tune_steps': 'approximation.tuning',
    'StepTable': 'differences.step_table',
    'CallCountRecorder': 'counting.recorder',
    'CallCountMismatch': 'counting.counts',
    'count_calls': 'counting.counter',
    'assert_call_counts': 'counting.asserting',
    'CallCounts': 'counting.counts',
    'predict_calls': 'counting.predicting',
    'PredictedCalls': 'counting.predicting',
    'read_call_counts': 'counting.file',
    'SequenceModel': 'sequence.model',
    'SequenceEnsemble': 'sequence.ensemble',
    'Signal': 'sequence.signal',
    'RNNComp': 'components.rnn_comp',
    'RNNSurrogate': 'components.rnn_surrogate',
    'trajectories_from_cases': 'components.trajectories',
    'Graph': 'graph.graph',
    'pagerank': 'graph.pagerank',
    'NotConverged': 'graph.errors',
    'edge_report': 'reports.edge_report',
    'FlowAdjacency': 'graph.adjacency',
    'SimilarityAdjacency': 'graph.adjacency',
    'DesignStructureAdjacency': 'graph.adjacency',
    'PageRankComp': 'components.pagerank_comp',
    'AdjacencyComp': 'components.adjacency_comp',
    'RankOrderConstraintComp': 'components.rank_order_comp',
    'TopShareComp': 'components.top_share_comp',
    'RankEntropyComp': 'components.rank_entropy_comp',
}

__all__ = ['__version__', *_HOME_OF]


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mdao_seq' has no attribute {name!r}")
    value = getattr(import_module(f'{__name__}.{_HOME_OF[name]}'), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
