"""Trajectories to train on, from what OpenMDAO has recorded."""

import warnings
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.signal import Signal


def trajectories_from_cases(reader, inputs, outputs, source='driver'):
    """Return recorded cases as what `SequenceModel.fit` takes.

    Parameters
    ----------
    reader : om.CaseReader
        Of a recorded run, such as that of a `DOEDriver`.
    inputs, outputs : str, Signal, iterable of those, or mapping
        What to take: names of recorded variables (with the units of a `Signal`), or a mapping from
        the name or `Signal` of a model to the recorded name, which may have dots.
    source : str
        Which cases, as ``reader.list_cases`` has it: 'driver', 'problem', or a system's path.

    Returns
    -------
    inputs, outputs : dict of str to ndarray
        Sequences (number, seq_len) and constants (number,), by name. A variable (seq_len,) is a
        sequence, one of size 1 a constant; a case of variables (batch_size, seq_len) gives
        batch_size trajectories, and its constants are (batch_size,). Cases that failed are left
        out, with a warning; OpenMDAO to 3.45 records those of a `DOEDriver` as good ones that have
        the outputs of the case before, by which they are told.

    Raises
    ------
    InputError
        A ValueError: if there are no cases, a variable was not recorded (it lists what was), or
        its shape differs from case to case or is none of a trajectory.
    """
    wanted = _recorded_names(inputs), _recorded_names(outputs)
    cases = [reader.get_case(each) for each in reader.list_cases(source, False, out_stream=None)]
    good = [case for case in cases if case.success]
    if not good:
        raise InputError(
            f'{source!r} has {len(cases)} recorded case(s), of which none succeeded; record a '
            'driver by driver.add_recorder(om.SqliteRecorder(path)), or name another source'
        )
    taken = [
        {
            signal.name: _value(case, signal, recorded)
            for signal, recorded in {**wanted[0], **wanted[1]}.items()
        }
        for case in good
    ]
    names = [[signal.name for signal in each] for each in wanted]
    fresh = [True, *(not _is_stale(*pair, *names) for pair in pairwise(taken))]
    taken = [values for values, is_fresh in zip(taken, fresh, strict=True) if is_fresh]
    if len(taken) < len(cases):
        warnings.warn(
            f'{len(cases) - len(taken)} of {len(cases)} recorded cases failed (they are marked so, '
            'or have the very outputs of the case before for other inputs) and are left out',
            stacklevel=2,
        )
    found = {}
    for signal, recorded in {**wanted[0], **wanted[1]}.items():
        values = [each[signal.name] for each in taken]
        shapes = {value.shape for value in values}
        if len(shapes) > 1 or len(values[0].shape) > 2:
            raise InputError(
                f'{recorded!r} has the shape {sorted(shapes)} in the recorded cases; of a '
                'trajectory it must be (seq_len,), (batch_size, seq_len) or of size 1, the same '
                'in all'
            )
        found[signal.name] = np.stack(values)
    side_by_side = any(value.ndim == 3 for value in found.values())
    named = {name: _trajectories(value, side_by_side) for name, value in found.items()}
    return tuple({signal.name: named[signal.name] for signal in each} for each in wanted)


def _recorded_names(given):
    """Return the recorded name of each signal."""
    if not isinstance(given, Mapping):
        each = [given] if isinstance(given, str | Signal) else list(given)
        given = {item: item.name if isinstance(item, Signal) else item for item in each}
    return {
        item if isinstance(item, Signal) else Signal(item): recorded
        for item, recorded in given.items()
    }


def _value(case, signal, recorded):
    try:
        return np.asarray(case.get_val(recorded, units=signal.units), dtype=float)
    except KeyError:
        of_case = [each for each in (case.inputs, case.outputs) if each is not None]
        names = sorted({name for each in of_case for name in each})
        raise InputError(
            f'{recorded!r} was not recorded; case {case.name!r} has {", ".join(names)}; add it to '
            "recording_options['includes']"
        ) from None


def _is_stale(before, values, inputs, outputs):
    """Return whether a case has the outputs of the one before, for other inputs."""
    return all(np.array_equal(before[name], values[name]) for name in outputs) and not all(
        np.array_equal(before[name], values[name]) for name in inputs
    )


def _trajectories(stacked, side_by_side):
    """Return (cases, …) of a variable as (number, seq_len) or (number,)."""
    if stacked.ndim == 3:
        return stacked.reshape(-1, stacked.shape[2])
    if side_by_side or stacked.ndim == 1 or stacked.shape[1] == 1:
        return stacked.ravel()
    return stacked
