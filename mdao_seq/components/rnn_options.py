"""The options of `RNNComp`."""

from numbers import Integral
from pathlib import Path

from mdao_seq.components.derivative_options import declare_fd_steps
from mdao_seq.sequence.ensemble import SequenceEnsemble
from mdao_seq.sequence.model import SequenceModel


def declare_rnn_options(options):
    """Declare them in an OptionsDictionary."""
    options.declare(
        'model',
        types=(SequenceModel, SequenceEnsemble, str, Path),
        desc='The network, an ensemble, or the path of a file that one of them saved, read at '
        'setup.',
    )
    options.declare(
        'batch_size',
        types=Integral,
        default=1,
        lower=1,
        desc='Sequences that run side by side through the same network.',
    )
    options.declare('seq_len', types=Integral, lower=1, desc='Time steps in a sequence.')
    options.declare(
        'lengths',
        default=None,
        desc='Time steps of each sequence (batch_size,), where they differ: what is past them '
        'gives zeros, and counts in no derivative. None: seq_len.',
    )
    options.declare(
        'output_steps',
        default=None,
        desc="Time steps of the outputs: integers (negative ones from the end), or 'last', which "
        'is the last of each sequence. None: all.',
    )
    options.declare(
        'initial_state',
        values=('model', 'input'),
        default='model',
        desc='States before the first time step: as of the model (zeros, or learned), or the '
        'inputs h0 (and c0 of an LSTM).',
    )
    options.declare(
        'final_state',
        types=bool,
        default=False,
        desc='Whether the states after the last time step are outputs, hn (and cn of an LSTM).',
    )
    options.declare(
        'weights_as_inputs',
        types=bool,
        default=False,
        desc='Whether the weights of the network are inputs, by their names in model.weights.',
    )
    options.declare(
        'partials',
        values=('matrix_free', 'sparse', 'fd'),
        default='matrix_free',
        desc='Products with the derivatives, one sweep each; the causal entries of the Jacobian; '
        'or differences, held for each output (PerOutputFD).',
    )
    declare_fd_steps(options, 'central, 1e-5 standard deviations of the input')
    options.declare(
        'num_steps',
        types=Integral,
        default=None,
        allow_none=True,
        lower=1,
        desc='Time steps that derivatives look back, as in truncated backpropagation through time. '
        'None: all, which is exact.',
    )
    options.declare(
        'truncate',
        types=bool,
        default=False,
        desc='Whether derivatives end at the initial states, the inputs h0 (and c0), which then '
        'count as constants.',
    )
    options.declare(
        'outside_range',
        values=('ignore', 'warn', 'raise'),
        default='warn',
        desc='What happens where an input is outside the range that it had in training: nothing, a '
        'warning, once for each input, or an AnalysisError.',
    )
