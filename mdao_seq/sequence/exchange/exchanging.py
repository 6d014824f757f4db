"""The ways of a `SequenceModel` from and to other tools."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Self

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.exchange import keras_weights, onnx_reading, onnx_writing, torch_weights
from mdao_seq.sequence.exchange.weights_alone import weights_alone
from mdao_seq.sequence.network import Network
from mdao_seq.sequence.signal import Signal

Signals = str | Signal | Iterable[str | Signal]


class Exchanging(Network):
    """What `SequenceModel` has for other tools."""

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any] | str | os.PathLike[str],
        inputs: Signals,
        outputs: Signals,
        static_inputs: Signals = (),
        nonlinearity: str = 'tanh',
    ) -> Self:
        """Return the network of a PyTorch module.

        Parameters
        ----------
        state_dict : mapping or path-like
            ``module.state_dict()`` of a module with one ``torch.nn.RNN``, ``GRU`` or ``LSTM`` and
            one ``torch.nn.Linear`` behind it, or the safetensors file of one. Cell and sizes are
            told by the weights, which become float64.
        inputs, outputs, static_inputs : str, Signal, or iterable of those
            What the columns of its input and output mean, in their order.
        nonlinearity : {'tanh', 'relu'}
            Of a ``torch.nn.RNN``, whose weights do not tell.

        Returns
        -------
        SequenceModel
            With no normalisation, as the module.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        WeightFileError
            If it is no safetensors file.
        ValueError
            If the weights are not of such a module, or not of so many inputs and outputs.
        """
        cell, weights = torch_weights.split(torch_weights.read_state_dict(state_dict))
        return cls._of_weights(cell, nonlinearity, weights, inputs, outputs, static_inputs)

    def to_torch(self) -> dict[str, Array]:
        """Return the weights as the state dict of a PyTorch module, the normalisation in them.

        Returns
        -------
        dict of str to ndarray
            ``rnn.…`` of a ``torch.nn.RNN``, ``GRU`` or ``LSTM``, ``head.…`` of a
            ``torch.nn.Linear``; float64. They are loaded by ``module.load_state_dict({name:
            torch.from_numpy(value) for name, value in model.to_torch().items()})``.

        Raises
        ------
        ValueError
            If the layers have no biases, and the inputs means to subtract; or with a feed-through
            or learned initial states, which such a module has not.
        """
        return torch_weights.joined(weights_alone(self, 'to_torch'))

    @classmethod
    def from_keras(
        cls, model: Any, inputs: Signals, outputs: Signals, static_inputs: Signals = ()
    ) -> Self:
        """Return the network of a Keras model.

        Parameters
        ----------
        model : keras.Model or iterable of keras.layers.Layer
            Layers ``LSTM``, ``GRU`` (with ``reset_after=True``, its default) or ``SimpleRNN``, all
            of one kind, and a ``Dense`` behind them. Keras is not imported.
        inputs, outputs, static_inputs : str, Signal, or iterable of those
            What the columns of its input and output mean, in their order.

        Returns
        -------
        SequenceModel
            With no normalisation; outputs at all time steps, also where the last layer of `model`
            has ``return_sequences=False``.

        Raises
        ------
        ValueError
            If it is no such model; the message names the layer and its setting.
        """
        layers = model.layers if hasattr(model, 'layers') else model
        found = keras_weights.from_layers(layers)
        return cls._of_weights(*found, inputs, outputs, static_inputs)

    def to_keras(self) -> list[Array]:
        """Return the weights for ``set_weights`` of a Keras model, the normalisation in them.

        Returns
        -------
        list of ndarray
            Those of ``keras.Sequential([LSTM(hidden_size, return_sequences=True), …,
            Dense(output_size)])``, or with ``GRU`` or ``SimpleRNN``.

        Raises
        ------
        ValueError
            As of `to_torch`.
        """
        return keras_weights.to_layers(self.cell, weights_alone(self, 'to_keras'))

    @classmethod
    def from_onnx(
        cls, model: Any, inputs: Signals, outputs: Signals, static_inputs: Signals = ()
    ) -> Self:
        """Return the network of an ONNX model, compared with it at random inputs.

        Parameters
        ----------
        model : onnx.ModelProto, bytes, str or path-like
            The model, or its file: nodes ``LSTM``, ``GRU`` (with ``linear_before_reset=1``) or
            ``RNN``, all of one kind, and a linear head behind them.
        inputs, outputs, static_inputs : str, Signal, or iterable of those
            What the columns of its input and output mean, in their order.

        Returns
        -------
        SequenceModel
            With no normalisation.

        Raises
        ------
        ImportError
            Without the package onnx (``pip install onnx``).
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no such model; the message names the node and its attribute.
        """
        found = onnx_reading.read_graph(model)
        made = cls._of_weights(*found, inputs, outputs, static_inputs)
        onnx_reading.check_agreement(model, made)
        return made

    def to_onnx(self, path: str | os.PathLike[str] | None = None, dtype: str = 'float32') -> Any:
        """Return the network as an ONNX model, the normalisation in its weights.

        Parameters
        ----------
        path : str, path-like or None
            File to write it to; None: none.
        dtype : {'float32', 'float64'}
            Of the tensors.

        Returns
        -------
        onnx.ModelProto
            From ``x`` (batch_size, seq_len, input_size) to ``y`` (batch_size, seq_len,
            output_size).

        Raises
        ------
        ImportError
            Without the package onnx (``pip install onnx``).
        ValueError
            As of `to_torch`, and for another dtype.
        """
        if dtype not in ('float32', 'float64'):
            raise ValueError(f"dtype {dtype!r} is not one of 'float32', 'float64'")
        weights = weights_alone(self, 'to_onnx')
        proto = onnx_writing.to_graph(self.cell, self.nonlinearity, weights, dtype)
        if path is not None:
            onnx_writing.write_graph(proto, path)
        return proto

    @classmethod
    def _of_weights(
        cls,
        cell: str,
        nonlinearity: str,
        weights: Mapping[str, Array],
        inputs: Signals,
        outputs: Signals,
        static_inputs: Signals,
    ) -> Any:
        # As `SequenceModel` is called, which extends this class.
        make: Any = cls
        model = make(
            inputs,
            outputs,
            static_inputs,
            cell=cell,
            hidden_size=weights['weight_hh_l0'].shape[1],
            num_layers=sum(name.startswith('weight_hh_l') for name in weights),
            nonlinearity=nonlinearity,
            bias='bias_ih_l0' in weights,
        )
        model.weights = weights
        return model
