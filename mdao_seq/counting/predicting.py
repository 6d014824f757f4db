"""`predict_calls`: what a task will evaluate, before anything is."""

from functools import partial
from numbers import Integral

import openmdao.api as om

from mdao_seq._text_table import text_table
from mdao_seq.approximation._openmdao.names import EVALUATES_WHOLE
from mdao_seq.approximation._openmdao.systems import components_below, evaluating, is_final
from mdao_seq.approximation._openmdao.walking import (
    RESIDUAL,
    RUN,
    WHOLE,
    Walk,
    totals_of,
)
from mdao_seq.counting.counts import MODEL, CallCounts
from mdao_seq.counting.rows import Key

TASKS = ('run_model', 'compute_totals', 'check_partials', 'driver_linearization')

# What is called of a system, the first that it is evaluated by.
_METHODS = {
    RUN: ('compute', 'solve_nonlinear'),
    RESIDUAL: ('apply_nonlinear',),
    WHOLE: (EVALUATES_WHOLE,),
}


class PredictedCalls(CallCounts):
    """Evaluations that a task will make: `total` as of what was counted.

    Attributes
    ----------
    bounds : dict of str to str
        On what the evaluations depend that no plan knows, by the path below which they do: how
        often a solver iterates, a coloring or a step that is still to be found.
    """

    def __init__(self):
        super().__init__()
        self.bounds = {}

    @property
    def is_exact(self):
        """Whether the evaluations depend on nothing that is not known."""
        return not self.bounds

    def table(self):
        """Return the rows as a text table, with the total and on what it depends."""
        header = ('component', 'cause', 'declaration', 'evaluations')
        rows = [(r.path or MODEL, r.cause, r.declaration, r.evaluations) for r in self.rows()]
        table = text_table(header, [*rows, ('total', None, None, self.sums()['evaluations'])])
        return '\n'.join([table, *(f'{p or MODEL}: {why}' for p, why in self.bounds.items())])

    __str__ = table


def predict_calls(problem, task, *, of=None, wrt=None, iterations=1, **options) -> PredictedCalls:
    """Predict the evaluations of every component, and evaluate nothing.

    What approximations cost comes from the evaluation plans, with the relevance that OpenMDAO has
    for the task and with colorings. It is what this process will evaluate, as the counter counts.

    Parameters
    ----------
    problem : om.Problem
        After ``final_setup``.
    task : {'run_model', 'compute_totals', 'check_partials', 'driver_linearization'}
        What is to be done; ``'driver_linearization'`` is what a driver asks for at each iteration:
        the derivatives of its objectives and nonlinear constraints.
    of, wrt : list of str or None
        As of ``compute_totals``: None for the driver's.
    iterations : int or dict of str to int
        How often each nonlinear solver that iterates does so; or by the path of its group
        (``''``: the model), one where it is not named.
    **options
        Of ``check_partials``: ``method``, ``step``, ``form``, ``step_calc``, ``minimum_step``,
        ``includes``, ``excludes``. What only concerns its printing is not looked at.

    Returns
    -------
    PredictedCalls
        ``.total(path, cause=None)``, ``.table()``; ``.bounds`` says on what it depends.

    Raises
    ------
    RuntimeError
        Before ``final_setup``; if totals are wanted of a driver that has no responses or no design
        variables.
    TypeError
        If `problem` is none, if an option is not one of the task's, or if `iterations` is neither
        whole numbers nor a dict of them.
    ValueError
        If `task` is none of the four; if `iterations` is negative, or names what has no solver
        whose iterations can be told.

    Examples
    --------
    >>> predict_calls(problem, 'driver_linearization').total('wing')   # doctest: +SKIP
    4
    """
    if not isinstance(problem, om.Problem):
        raise TypeError(f'predict_calls({problem!r}): an om.Problem is needed')
    if task not in TASKS:
        raise ValueError(f'predict_calls(task={task!r}): tasks are {", ".join(TASKS)}')
    if not is_final(problem.model):
        raise RuntimeError('predict_calls: call final_setup() on the problem first')
    _refuse_others(task, {'of': of, 'wrt': wrt} if of or wrt else {}, options)
    predicted = PredictedCalls()
    predicted.components |= {s.pathname for s in components_below(problem.model) if _evaluates(s)}
    asked = _Iterations(iterations)
    walk = Walk(partial(_tell, predicted), partial(_bound, predicted), asked)
    if task == 'run_model':
        walk.solve(problem.model)
    elif task == 'check_partials':
        walk.check(problem.model, options)
    else:
        walk.totals(problem, totals_of(problem, of, wrt))
    asked.refuse_unused()
    return predicted


_CHECK_OPTIONS = (
    'method',
    'step',
    'form',
    'step_calc',
    'minimum_step',
    'includes',
    'excludes',
    # Which change nothing that is evaluated.
    'out_stream',
    'compact_print',
    'abs_err_tol',
    'rel_err_tol',
    'force_dense',
    'show_only_incorrect',
    'rich_print',
)


def _refuse_others(task, names, options):
    known = {'compute_totals': ('of', 'wrt'), 'check_partials': _CHECK_OPTIONS}.get(task, ())
    for name in {**names, **options}:
        if name not in known:
            has = f'it has {", ".join(known)}' if known else 'it has none'
            raise TypeError(f'predict_calls: {name!r} is no option of {task!r}; {has}')


class _Iterations:
    """How often the solver of a group iterates; remembers which were asked for."""

    def __init__(self, given):
        for number in given.values() if isinstance(given, dict) else (given,):
            if not isinstance(number, Integral):
                raise TypeError(
                    f'predict_calls(iterations={given!r}): {number!r} is no whole number; pass '
                    'one, or a dict of them by the paths of groups'
                )
            if number < 0:
                raise ValueError(f'predict_calls(iterations={given!r}): {number} is negative')
        self._given = given
        self._asked = set()

    def __call__(self, path):
        self._asked.add(path)
        return self._given.get(path, 1) if isinstance(self._given, dict) else self._given

    def refuse_unused(self):
        unused = set(self._given) - self._asked if isinstance(self._given, dict) else ()
        for path in unused:
            solvers = ', '.join(repr(known) for known in sorted(self._asked)) or 'nowhere'
            raise ValueError(
                f'predict_calls(iterations): no solver whose iterations can be told is at '
                f'{path!r}; such are at {solvers}'
            )


def _evaluates(component):
    return bool(evaluating(component))


def _tell(predicted, path, system, what, cause, declaration, times):
    """Add evaluations by the method that is called; none where the component has none."""
    methods = (EVALUATES_WHOLE,) if what == WHOLE else evaluating(system)
    for method in methods:
        if method in _METHODS[what]:
            predicted.components.add(path)
            predicted.add(Key(path, method, cause, declaration), times)
            return


def _bound(predicted, path, why):
    predicted.bounds[path] = why
