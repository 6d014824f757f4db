"""The approximation scheme of held systems: it runs the points of an evaluation plan.

A block of the plan is laid out over the system's vectors once (`_layout`); each linearization
then perturbs, evaluates, and lets every `Combination` write its rows and no others.
"""

from typing import NamedTuple

import numpy as np
from openmdao.approximation_schemes.approximation_scheme import ApproximationScheme
from openmdao.core.analysis_error import AnalysisError
from openmdao.utils.om_warnings import DerivativesWarning, issue_warning

from mdao_seq.approximation._openmdao.colorings import color_rows
from mdao_seq.approximation._openmdao.dispatch import evaluate
from mdao_seq.approximation._openmdao.evaluating import Job
from mdao_seq.approximation._openmdao.names import STOCK
from mdao_seq.approximation._openmdao.plans import build
from mdao_seq.approximation.asking import Asked
from mdao_seq.approximation.combining import Combination, Failures
from mdao_seq.differences.declaration import Declaration


class PlannedScheme(ApproximationScheme):
    """Runs the points of one method of a system's evaluation plan.

    Parameters
    ----------
    method : {'fd', 'cs'}
        Which of the plan's points it runs.
    """

    def __init__(self, method):
        super().__init__()
        self._layout = None
        self.method = method
        self.DEFAULT_OPTIONS = STOCK[method].DEFAULT_OPTIONS

    def add_approximation(self, wrt, system, kwargs, vector=None):
        """Note that `wrt` is approximated, which is what OpenMDAO asks a scheme about."""
        self._wrt_meta[wrt] = kwargs

    def compute_approximations(self, system, jac):
        """Evaluate the points and write each declaration's rows, and no others, into `jac`."""
        plan, method = system._current_plan(), self.method
        if method not in plan.methods:
            return
        if method == 'cs' and system.under_complex_step:
            plan, method = _real_steps_instead(system, plan), 'fd'
        system._held_runs[self.method] = plan, method
        frame = system._held_frame
        # The layout is made once for a plan; only relative steps make a new plan each time.
        if self._layout is None or not (self._layout[0] is plan and self._layout[1].is_of(jac)):
            targets = frame.targets(jac)
            self._layout = plan, targets, *_layout(system, frame, targets, plan, method)
        _, targets, sweeps, jobs = self._layout
        failures = Failures(system, frame)
        at_base = frame.at_base()
        results, given_up = evaluate(system, method, jobs), None
        try:
            for sweep in sweeps:
                values = np.empty((sweep.number_of_points, at_base.size))
                for lane in sweep.lanes:
                    failures.in_lane()
                    for point, value in enumerate(values):
                        found = next(results)
                        if isinstance(found, np.ndarray):
                            value[:] = found
                        else:
                            failures.at_point(point, value, found)
                    for columns, combinations in zip(lane, sweep.parts, strict=True):
                        for combination in combinations:
                            try:
                                combination.write(columns, values, at_base, failures)
                            except AnalysisError as error:
                                # Other ranks are still evaluating, and wait for this one.
                                if system.comm.size == 1:
                                    raise
                                given_up = given_up or error
        finally:
            results.close()
        if system.comm.size > 1:
            _raise_on_all(system.comm, given_up)
        targets.finish()

    def _reset(self):
        super()._reset()
        self._layout = None


def _raise_on_all(comm, error):
    """Raise the error of one rank on every rank, so that none goes on alone."""
    for found in comm.allgather(error):
        if found is not None:
            raise found


class _Sweep(NamedTuple):
    """A block of the plan, laid out over a system's vectors and derivatives.

    Attributes
    ----------
    number_of_points : int
        Evaluations of each lane.
    lanes : list of tuples of columns
        By part: the columns of the partials that are filled, as (column, mask of the rows that it
        may change; None: all).
    parts : list of lists of Combination
        By part: what the declarations make of the evaluations.
    """

    number_of_points: int
    lanes: list
    parts: list


def _layout(system, frame, targets, plan, method):
    """Lay the points of one method out over the vectors and derivatives of a system.

    Returns
    -------
    list of _Sweep
        What becomes of the evaluations.
    list of Job
        The evaluations, lane by lane. Without changes where the element lives on another rank:
        every rank evaluates for every element of a distributed input, since compute is collective.
    """
    rows = frame.rows()
    rows_of_color = dict(color_rows(system, frame)) if any(b.at_once for b in plan.blocks) else {}
    wrts = {part.wrt for block in plan.blocks for part in block.parts}
    place_of = {wrt: frame.places(wrt) for wrt in wrts}

    def target(part, elements, at_once):
        """Where the elements of one part in one lane are perturbed and written."""
        wrt = part.wrt
        vector, indices, columns = place_of[wrt]
        local = [i for i in (indices[e] for e in elements) if i is not None]
        index = np.array(local) if len(local) > 1 else local[0] if local else None
        written = [
            (columns[e], rows_of_color[wrt, e] if at_once else None)
            for e in elements
            if columns[e] is not None
        ]
        return (vector if local else None), index, written

    sweeps, jobs = [], []
    for block in plan.blocks:
        chosen = [k for k, point in enumerate(block.points) if point.method == method]
        if not chosen:
            continue
        place = {k: position for position, k in enumerate(chosen)}
        real = method == 'fd'
        points = [
            (
                Asked(system, (block.points[k],)),
                [(part, o.real if real else o) for part, o in block.points[k].offsets],
            )
            for k in chosen
        ]
        lanes, seeds = [], frame.seeds([part.wrt for part in block.parts])
        for elements in block.lanes:
            lane = [
                target(part, of_part, block.at_once)
                for part, of_part in zip(block.parts, elements, strict=True)
            ]
            lanes.append([columns for *_, columns in lane])
            jobs += [
                Job(asked, [(*lane[part][:2], o) for part, o in offsets if lane[part][0]], seeds)
                for asked, offsets in points
            ]
        parts = []
        for number, part in enumerate(block.parts):
            combined = {}
            for declaration, used, weights, base_weight, estimate in part.uses:
                # Of what another rank has, only the evaluations are made here.
                if declaration.method == method and declaration.of in rows:
                    places = tuple(place[k] for k in used)
                    offsets = tuple(dict(points[p][1])[number] for p in places)
                    key = places, offsets, weights, base_weight, estimate
                    of, wrt = declaration.of, part.wrt
                    partial = rows[of], targets[of, wrt], declaration
                    combined.setdefault(key, []).append(partial)
            parts.append(
                [
                    Combination.of(*combination, partials)
                    for combination, partials in combined.items()
                ]
            )
        sweeps.append(_Sweep(len(points), lanes, parts))
    return sweeps, jobs


def _real_steps_instead(system, plan):
    """Complex step cannot nest: difference its declarations with OpenMDAO's default step."""
    issue_warning(
        'Nested complex step detected. Finite difference will be used.',
        prefix=system.pathname,
        category=DerivativesWarning,
    )
    return build(system, [Declaration(d.of, d.wrt) for d in plan.declarations if not d.form])
