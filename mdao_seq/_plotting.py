"""Axes to plot into; matplotlib is asked for when something is plotted."""

from typing import Any


def axes(ax: Any, size: tuple[float, float]) -> Any:
    """Return `ax`, or those of a new figure of this size in inches.

    Raises
    ------
    ImportError
        Without matplotlib; it names the extra.
    """
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f'{error}: pip install matplotlib networkx') from error
    return plt.figure(figsize=size, layout='constrained').add_subplot()
