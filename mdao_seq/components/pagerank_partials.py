"""How a `PageRankComp` declares and fills its partials: entries, or differences."""

import numpy as np

from mdao_seq.graph.dependence import Dependence

# Of the size of an input: rounding of a solve and truncation of central differences are alike.
FD_STEP = 1e-5


def declare_entries(comp, variables, is_sparse):
    """Declare the Jacobian, dense or of the entries by weight that can be other than zero.

    Returns
    -------
    list of (str, str, slice, slice, ndarray or slice, ndarray or slice)
        of, wrt, their places among all outputs and inputs, and the entries within the block.
    """
    outputs, inputs = variables.flat_outputs, variables.flat_inputs
    declared = []
    pattern = _by_weight(comp, variables) if is_sparse and 'weights' in variables.starts else None
    for of in variables.readout.shapes:
        for wrt in variables.starts:
            rows, cols = slice(None), slice(None)
            own = outputs.place(of)
            if pattern is not None and wrt == 'weights':
                rows, cols = pattern[own].nonzero()
                if not rows.size:
                    continue
                comp.declare_partials(of, wrt, rows=rows, cols=cols)
            else:
                comp.declare_partials(of, wrt)
            declared.append((of, wrt, own, inputs.place(wrt), rows, cols))
    return declared


def _by_weight(comp, variables):
    """Return which outputs (size,) depend on which weights, as a matrix of booleans."""
    options, graph = comp.options, comp.options['graph']
    passed_to = 'personalization' if options['dangling'] is None else 'dangling'
    landing = None
    if not {passed_to, 'dangling'} & set(variables.starts) and options[passed_to] is not None:
        landing = np.flatnonzero(variables.fixed(passed_to))
    may_dangle = np.arange(graph.n) if options['allow_zero_rows'] else None
    dependence = Dependence(graph, landing, may_dangle)
    size = np.size(variables.starts['weights'])
    pattern = np.zeros((variables.readout.size, size), bool)
    for row, nodes in zip(pattern, variables.readout.members, strict=True):
        row[variables.weight_columns(dependence.edges(nodes))] = True
    return pattern


def fill_entries(declared, variables, linearized, wanted, partials):
    """Set the declared entries, by as many solves as there are outputs, or inputs if fewer.

    Those by inputs that are not `wanted` stay zero: they may have no derivative.
    """
    outputs, inputs, readout = variables.flat_outputs, variables.flat_inputs, variables.readout
    scores = linearized.result.scores
    jacobian = np.zeros((outputs.size, inputs.size), scores.dtype)
    if outputs.size <= inputs.size:
        for row, bar in zip(jacobian, np.eye(outputs.size), strict=True):
            gradient = linearized.vjp(readout.sensitivity(scores, bar), wanted)
            for name, derivative in variables.by_input(gradient):
                row[inputs.place(name)] = derivative
    else:
        places = [np.arange(inputs.size)[inputs.place(name)] for name in wanted]
        asked = np.concatenate([np.empty(0, int), *places])
        for k, unit in zip(asked, np.eye(inputs.size)[asked], strict=True):
            change = linearized.jvp(**variables.change(dict(inputs.by_name(unit))))
            jacobian[:, k] = readout.change(scores, change)
    for of, wrt, own, other, rows, cols in declared:
        partials[of, wrt] = jacobian[own, other][rows, cols]


def difference_settings(variables):
    """Return what differences by each input are taken with, unless `fd_steps` says otherwise.

    Parameters
    ----------
    variables : PageRankVariables
        The inputs; none of them may become negative, nor damping one.
    """
    settings = {}
    for wrt, start in variables.starts.items():
        settings[wrt] = {'form': 'central', 'step': FD_STEP, 'bounds': (0.0, np.inf)}
        if wrt == 'damping':
            # What the scores depend on is one minus it.
            settings[wrt]['step'] *= 1.0 - np.mean(start)
            settings[wrt]['bounds'] = (0.0, np.nextafter(1.0, 0.0))
        else:
            settings[wrt]['step_calc'] = 'rel_avg'
    return settings
