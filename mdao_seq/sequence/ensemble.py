"""Several networks of the same signals as one: the mean of their outputs, and their spread."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mdao_seq.sequence.cells.cell import Array, Arrays
from mdao_seq.sequence.ensemble_trace import EnsembleTrace
from mdao_seq.sequence.input_range import InputRange
from mdao_seq.sequence.model import SequenceModel
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.signal import Signal
from mdao_seq.sequence.tensors import unpacked
from mdao_seq.sequence.weight_file import read_models_file, write_models_file

# A difference of temperatures has no zero point.
_UNITS_OF_DIFFERENCES = {'degC': 'degK', 'degF': 'degR'}
_SAME = ('inputs', 'static_inputs', 'outputs', 'cell', 'hidden_size', 'num_layers')


class SequenceEnsemble:
    """Networks trained on the same data from different seeds, as one.

    With outputs y_m of n networks, the outputs are the mean of each, and behind the means, as
    ``<name>_spread``, its standard deviation, sqrt(sum (y_m - mean)^2 / (n - 1)): where networks
    that fit the same data differ, none of them is to be trusted (Lakshminarayanan et al., NeurIPS
    2017). Both are differentiable; where all agree to the last bit, the derivative of the spread is
    taken as zero.

    An `RNNComp` takes it in place of a model.

    Parameters
    ----------
    models : iterable of SequenceModel
        At least two, of the same signals and sizes.

    Attributes
    ----------
    models : tuple of SequenceModel
        As passed.
    inputs, static_inputs : tuple of Signal
        Of each.
    outputs : tuple of Signal
        Means, then spreads.

    Raises
    ------
    ValueError
        If there are fewer than two, or they do not go together; it says in what they differ.
    """

    def __init__(self, models: Iterable[SequenceModel]):
        self.models = tuple(models)
        if len(self.models) < 2:
            raise ValueError(f'an ensemble needs at least two models; there are {len(self.models)}')
        first = self.models[0]
        for number, model in enumerate(self.models):
            for name in _SAME:
                if getattr(model, name) != getattr(first, name):
                    raise ValueError(
                        f'models[{number}] has {name} {getattr(model, name)!r}; models[0] has '
                        f'{getattr(first, name)!r}, and they must be the same'
                    )
        self.inputs = first.inputs
        self.static_inputs = first.static_inputs
        self.outputs = (*first.outputs, *map(_spread, first.outputs))
        self.hidden_size = first.hidden_size
        self.state_names = first.state_names

    def __repr__(self) -> str:
        """Say how many, and of what kind."""
        return f'SequenceEnsemble({len(self.models)} of {self.models[0]!r})'

    def __len__(self) -> int:
        """Return how many models there are."""
        return len(self.models)

    def __iter__(self) -> Iterator[SequenceModel]:
        """Go through the models."""
        return iter(self.models)

    @property
    def num_layers(self) -> int:
        """Layers of all: their states stand behind one another."""
        return sum(model.num_layers for model in self.models)

    @property
    def input_size(self) -> int:
        """Columns of the inputs."""
        return self.models[0].input_size

    @property
    def output_size(self) -> int:
        """Columns of the outputs."""
        return len(self.outputs)

    @property
    def weights(self) -> Mapping[str, Array]:
        """None that the networks share."""
        return {}

    @property
    def input_normalization(self) -> Normalization:
        """Of the first network: the scale of the inputs."""
        return self.models[0].input_normalization

    @property
    def output_normalization(self) -> Normalization:
        """Means of the outputs, zero for their spreads; scales for both."""
        of_each = [model.output_normalization for model in self.models]
        mean = np.mean([each.mean for each in of_each], axis=0)
        scale = np.mean([each.scale for each in of_each], axis=0)
        return Normalization(
            np.concatenate([mean, np.zeros_like(mean)]), np.concatenate([scale, scale])
        )

    @property
    def input_range(self) -> InputRange | None:
        """What the inputs were in all trainings; None if it is not known of one."""
        ranges = [model.input_range for model in self.models if model.input_range is not None]
        if len(ranges) < len(self.models):
            return None
        return InputRange(
            np.max([each.low for each in ranges], axis=0),
            np.min([each.high for each in ranges], axis=0),
        )

    def predict(self, inputs: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Return means and spreads of the outputs for named inputs; see `SequenceModel.predict`."""
        return unpacked(self.outputs, self.forward(self.pack_inputs(inputs)).outputs)

    def pack_inputs(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """Return named inputs as the array that `forward` takes."""
        return self.models[0].pack_inputs(inputs)

    def first_state(self, batch_size: int) -> Arrays:
        """Return the states before the first time step of all networks."""
        each = [model.first_state(batch_size) for model in self.models]
        return tuple(np.concatenate(kind) for kind in zip(*each, strict=True))

    def forward(
        self,
        x: Array,
        weights: None = None,
        state: Arrays | None = None,
        lengths: ArrayLike | None = None,
        num_steps: int | None = None,
    ) -> EnsembleTrace:
        """Run all networks; see `Network.forward`.

        Parameters
        ----------
        x, lengths, num_steps
            As for one network.
        weights : None
            Each network has its own.
        state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            States before the first time step, the networks' behind one another.

        Returns
        -------
        EnsembleTrace
            As of one network.
        """
        size = self.models[0].num_layers
        parts: list[Arrays | None] = [None] * len(self.models)
        if state is not None:
            parts = [
                tuple(each[k * size : (k + 1) * size] for each in state)
                for k in range(len(self.models))
            ]
        return EnsembleTrace(
            [
                model.forward(x, state=part, lengths=lengths, num_steps=num_steps)
                for model, part in zip(self.models, parts, strict=True)
            ]
        )

    def is_current(self, trace: EnsembleTrace, weights: Any = None) -> bool:
        """Return whether `forward` would make this trace again from its inputs."""
        return all(
            model.is_current(each) for model, each in zip(self.models, trace.traces, strict=True)
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all models to one safetensors file; see `SequenceModel.save`."""
        write_models_file(path, self.models)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'SequenceEnsemble':
        """Read an ensemble that `save` wrote; see `SequenceModel.load`."""
        return cls(read_models_file(path, SequenceModel))


def _spread(signal: Signal) -> Signal:
    units = _UNITS_OF_DIFFERENCES.get(signal.units or '', signal.units)
    return Signal(f'{signal.name}_spread', units, f'standard deviation of {signal.name}')
