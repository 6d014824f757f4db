"""The options of `PageRankComp`."""

from numbers import Integral, Real

from mdao_seq.components.derivative_options import declare_fd_steps
from mdao_seq.graph.methods import METHODS
from mdao_seq.graph.pagerank import SMALLEST_TOL, check_graph
from mdao_seq.graph.sensitivity import EVERY


def declare_pagerank_options(options):
    """Declare them in an OptionsDictionary."""
    options.declare('graph', check_valid=check_is_graph, desc='Pattern of edges and their weights.')
    options.declare(
        'inputs',
        default=('weights', 'damping', 'personalization'),
        check_valid=_check_inputs,
        desc="Which of 'weights', 'damping', 'personalization' and 'dangling' are inputs. The "
        'others stay at the value of their option (weights: of the graph), and cost nothing.',
    )
    options.declare(
        'damping',
        types=Real,
        default=0.85,
        check_valid=_check_damping,
        desc='Value of the damping, in [0, 1), from which the input starts.',
    )
    options.declare(
        'personalization',
        default=None,
        desc='Value of the personalization: a dict by node or label, an array (n,), or None for '
        'the same at every node.',
    )
    options.declare(
        'dangling',
        default=None,
        desc='Where nodes without outgoing weight pass their mass to: a dict by node or label, an '
        'array (n,), or None for wherever the personalization says.',
    )
    options.declare(
        'edge_groups',
        default=None,
        desc='Edges that share a variable: a dict from name to edges (numbers, or pairs of nodes), '
        'or an integer for each edge, -1 for none. The input weights then has one factor for each '
        "group, by which the graph's weights are multiplied.",
    )
    options.declare(
        'of_nodes',
        default=None,
        desc='Nodes (or one), by label or number, whose scores are the output rank; None: all, or '
        'none (no such output) where there are groups.',
    )
    options.declare(
        'groups',
        types=dict,
        default={},
        desc='Further outputs: from name to nodes, by label or number, whose scores are added up.',
    )
    options.declare(
        'log',
        types=bool,
        default=False,
        desc='Whether each output has its natural logarithm beside it, log_rank and so on.',
    )
    options.declare(
        'tol',
        types=Real,
        default=None,
        allow_none=True,
        check_valid=_check_tol,
        desc='Largest 1-norm of the residual of the scores; derivatives are solved for '
        'accordingly. None: 1e-14, or what rounding leaves on a graph with hubs (see '
        '`mdao_seq.graph.pagerank.finest_tol`).',
    )
    options.declare(
        'method',
        values=('auto', *METHODS),
        default='auto',
        desc='How to solve (see `pagerank`); auto chooses by the size of the graph.',
    )
    options.declare(
        'max_iterations',
        types=Integral,
        default=None,
        lower=1,
        allow_none=True,
        desc='Most iterations of one solve; None: what the damping may need, at most 10 000.',
    )
    options.declare(
        'warm_start',
        types=bool,
        default=True,
        desc='Whether a solve starts from the scores of the one before: fewer iterations, and '
        'scores that differ, within tol, with what was solved before.',
    )
    options.declare(
        'partials',
        values=('matrix_free', 'dense', 'sparse', 'fd'),
        default='matrix_free',
        desc='Products with the derivatives, one solve each; the whole Jacobian, or what of it can '
        'be other than zero, a solve for each output or input; or differences, held for each '
        'output (PerOutputFD).',
    )
    declare_fd_steps(
        options, 'central, 1e-5 of the mean of the input (of 1 - damping), one-sided at zero'
    )
    options.declare(
        'allow_zero_rows',
        types=bool,
        default=False,
        desc='Whether edges of a node whose weights are all zero count as constants in '
        'derivatives, which are an error there otherwise.',
    )


def check_is_graph(name, value):
    """Say what to do with a graph of another library."""
    check_graph(value)


def _check_inputs(name, value):
    if not set(value) <= set(EVERY) or isinstance(value, str) or not value:
        raise ValueError(f'{name} = {value!r}: must be some of {list(EVERY)}')


def _check_damping(name, value):
    if not 0 <= value < 1:
        raise ValueError(f'{name} = {value}: must be in [0, 1)')


def _check_tol(name, value):
    if value is not None and not value >= SMALLEST_TOL:
        raise ValueError(f'{name} = {value}: below what float64 can give ({SMALLEST_TOL:.1e})')
