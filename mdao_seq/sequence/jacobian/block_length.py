"""How long blocks of time should be for a Jacobian to be cheap."""

from mdao_seq.sequence.jacobian.causality import Causality
from mdao_seq.sequence.linear_steps import LinearSteps

# Rough costs in seconds. Only their ratios matter, and only for how long a block is.
_OPERATION, _GATE, _CALL = 1e-10, 4e-9, 1.5e-4


def cheapest_length(
    steps: LinearSteps, causality: Causality, output_size: int, with_final: bool
) -> int:
    """Return how many time steps a block should have."""
    lengths = {min(2**k, causality.seq_len) for k in range(2, 40)}
    arguments = (steps, causality, output_size, with_final)
    return min(sorted(lengths), key=lambda length: _cost(length, *arguments))


def _cost(
    length: int, steps: LinearSteps, causality: Causality, output_size: int, with_final: bool
) -> float:
    """Return about how many seconds the Jacobian takes with blocks of this length."""
    blocks = -(-causality.seq_len // length)
    states = steps.num_layers * steps.num_states * steps.hidden_size
    leading = states if blocks > 1 or with_final else 0
    within = {at.t % length for at in causality.outputs}
    rows = leading * length + output_size * sum(t + 1 for t in within)
    gates = steps.num_gates * steps.hidden_size
    below = steps.input_size + (steps.num_layers - 1) * steps.hidden_size
    products = 2 * gates * (steps.num_layers * steps.hidden_size + below)
    sweep = rows * blocks * (products * _OPERATION + gates * steps.num_layers * _GATE)
    reach = sum(min(block * length, causality.reach) for block in range(blocks))
    chain = 2 * reach * states * steps.input_size * (output_size * len(within) + states)
    return causality.batch_size * (sweep + chain * _OPERATION) + (length + blocks) * _CALL
