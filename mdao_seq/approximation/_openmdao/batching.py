"""Evaluate many points by one call of a component's compute_batch."""

from copy import deepcopy
from functools import cache

import numpy as np
from openmdao.core.analysis_error import AnalysisError

from mdao_seq.approximation._openmdao.evaluating import differencing, in_turn
from mdao_seq.approximation._openmdao.names import absolute
from mdao_seq.approximation.asking import ASKED, Asked


def takes_batches(system):
    """Whether a component defines compute_batch for the compute that it has.

    A class that overrides compute alone does not mean the compute_batch of the class it extends.
    """
    return _means_batches(type(system)) and system.is_explicit()


@cache
def _means_batches(component_class):
    for cls in component_class.__mro__:
        if 'compute_batch' in vars(cls):
            return True
        if 'compute' in vars(cls):
            return False
    return False


def in_one_batch(system, method, jobs):
    """Yield what `dispatch.evaluate` does, by one call for all points."""
    jobs = list(jobs)
    if not jobs:
        return
    asked = Asked(system, tuple(point for job in jobs for point in job.asked.points))
    with differencing(system, method):
        # The residual of an explicit component is its outputs computed less those it has.
        at_base = system._outputs.asarray(copy=True)
        inputs, outputs = _batch_inputs(system, jobs), _batch_outputs(system, len(jobs))
        arguments = [inputs, outputs]
        if system._discrete_inputs or system._discrete_outputs:
            arguments += [system._discrete_inputs, deepcopy(system._discrete_outputs)]
        token = ASKED.set(asked)
        try:
            system.compute_batch(*arguments)
            error = None
        except AnalysisError as raised:
            error = raised
        except Exception as raised:
            raised.add_note(f'{system.msginfo}: in compute_batch, at {len(jobs)} points')
            raise
        finally:
            ASKED.reset(token)
    if error is not None:
        # Which point failed it does not say: the points are tried one by one.
        system._held_repeated += [point.owner for point in asked.points]
        yield from in_turn(system, method, jobs)
        return
    unknown = outputs.keys() - set(system._outputs)
    if unknown:
        raise KeyError(f'{system.msginfo}: compute_batch has given {", ".join(unknown)}, no output')
    found = [_points(system, outputs, name, len(jobs)) for name in system._outputs]
    found = np.concatenate(found, axis=1)
    found -= at_base
    yield from found.imag if method == 'cs' else found.real


def _batch_inputs(system, jobs):
    """Return the inputs by name with a leading axis of points; what nobody perturbs is no copy."""
    vector = system._inputs
    base = vector.asarray()
    changes = [(k, np.atleast_1d(i), o) for k, job in enumerate(jobs) for _, i, o in job.changes]
    lengths = [index.size for _, index, _ in changes]
    rows = np.repeat([k for k, _, _ in changes], lengths)
    offsets = np.repeat([offset for *_, offset in changes], lengths)
    indices = np.concatenate([np.empty(0, int), *(index for _, index, _ in changes)])
    inputs = {}
    for name, value in vector.items():
        start, stop = vector.get_range(absolute(system, name))
        mine = (indices >= start) & (indices < stop)
        points = np.broadcast_to(base[start:stop], (len(jobs), stop - start))
        if mine.any():
            points = points.copy()
            points[rows[mine], indices[mine] - start] += offsets[mine]
            points.flags.writeable = False
        inputs[name] = points.reshape(len(jobs), *value.shape)
    return inputs


def _batch_outputs(system, number):
    """Return arrays to be filled; what is not is no number, and noticed."""
    return {
        name: np.full((number, *value.shape), np.nan, dtype=value.dtype)
        for name, value in system._outputs.items()
    }


def _points(system, outputs, name, number):
    """Return an output by points, flat; refuse what the component has replaced by another shape."""
    values, shape = np.asarray(outputs[name]), (number, *system._outputs[name].shape)
    if values.shape != shape:
        raise ValueError(
            f'{system.msginfo}: compute_batch has given {name} the shape {values.shape}; with '
            f'{number} points it is {shape}, the axis of points first'
        )
    return values.reshape(number, -1)
