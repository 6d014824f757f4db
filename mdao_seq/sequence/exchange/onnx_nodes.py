"""What is common to reading and writing ONNX graphs, by the package onnx.

A network is a chain of ``LSTM``, ``GRU`` (``linear_before_reset=1``) or ``RNN`` nodes with a linear
head behind it. ONNX has the gates of an LSTM in the order i, o, f, c, those of a GRU z, r, h.
"""

from typing import Any

CELLS = {'LSTM': 'lstm', 'GRU': 'gru', 'RNN': 'elman'}
# ONNX's gates by ours, and ours by ONNX's.
TO_ONNX = {'lstm': (0, 3, 1, 2), 'gru': (1, 0, 2), 'elman': (0,)}
FROM_ONNX = {'lstm': (0, 2, 3, 1), 'gru': (1, 0, 2), 'elman': (0,)}


def import_onnx() -> Any:
    """Return the package onnx, or raise an ImportError that says how to come by it."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError('ONNX graphs need the package onnx: pip install onnx') from error
    return onnx
