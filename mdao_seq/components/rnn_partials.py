"""How an `RNNComp` declares its partials: the causal entries, or differences."""

import numpy as np

from mdao_seq.sequence.jacobian.causality import Causality

# Step of central differences, in standard deviations of an input: rounding and truncation are then
# alike for a smooth function of order one.
FD_STEP = 1e-5


def declare_causal(comp, variables):
    """Declare the entries that can be other than zero.

    Parameters
    ----------
    comp : RNNComp
        What declares.
    variables : RNNVariables
        Its variables.

    Returns
    -------
    causality : Causality
        Which entries these are.
    declared : list of (Key, str, str)
        Key of the entries in a network's Jacobian, of and wrt.
    """
    steps = variables.steps
    if steps is None:
        steps = np.tile(np.arange(variables.seq_len), (variables.batch_size, 1))
    num_layers, _, hidden_size = variables.state_shape
    causality = Causality(
        variables.seq_len,
        steps,
        variables.lengths,
        comp.options['num_steps'],
        (num_layers, hidden_size),
    )
    ofs = [('output', n, signal.name) for n, signal in enumerate(variables.outputs)]
    ofs += [('final', n, name) for n, name in enumerate(variables.states_out)]
    wrts = [('input', 'input', n, signal.name) for n, signal in enumerate(variables.sequences)]
    wrts += [
        ('static', 'input', n, signal.name)
        for n, signal in enumerate(variables.statics, len(variables.sequences))
    ]
    if not comp.options['truncate']:
        wrts += [('state', 'state', n, name) for n, name in enumerate(variables.states_in)]
    patterns = {
        (kind, by): getattr(causality, f'{kind}_by_{by}')()
        for kind in {kind for kind, *_ in ofs}
        for by in {by for by, *_ in wrts}
    }
    declared = []
    for kind, of_number, of in ofs:
        for by, wrt_kind, wrt_number, wrt in wrts:
            rows, cols = patterns[kind, by]
            if rows.size:
                comp.declare_partials(of, wrt, rows=rows, cols=cols)
                declared.append(((kind, of_number, wrt_kind, wrt_number), of, wrt))
    return causality, declared


def difference_settings(comp, variables):
    """Return what differences by each input are taken with, unless `fd_steps` says otherwise.

    Parameters
    ----------
    comp : RNNComp
        What declares.
    variables : RNNVariables
        Its variables.
    """
    scale = variables.model.input_normalization.scale
    signals = (*variables.sequences, *variables.statics)
    steps = {signal.name: FD_STEP * each for signal, each in zip(signals, scale, strict=True)}
    if not comp.options['truncate']:
        steps |= dict.fromkeys(variables.states_in, FD_STEP)
    steps |= dict.fromkeys(variables.weights, FD_STEP)
    return {wrt: {'form': 'central', 'step': step} for wrt, step in steps.items()}
