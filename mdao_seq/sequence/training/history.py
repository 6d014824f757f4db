"""What happened in training, and a plot of it."""

from dataclasses import dataclass, field
from typing import Any

from mdao_seq._plotting import axes


@dataclass
class History:
    """What happened in training.

    Attributes
    ----------
    train_loss : list of float
        Mean squared error of the normalised outputs in each epoch, averaged over its steps.
    validation_loss : list of float
        The same over what is held back after each epoch; without any, `train_loss`.
    learning_rate : list of float
        Of each epoch.
    gradient_norm : list of float
        Mean length of the gradients in each epoch, before they were clipped.
    best_epoch : int
        Epoch, counted from 0, whose weights were kept: the least `validation_loss`. -1: none was
        finished.
    stopped : {'epochs', 'patience', 'interrupted'}
        Why training stopped.
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    best_epoch: int = -1
    stopped: str = 'epochs'

    @property
    def best_loss(self) -> float:
        """Validation loss of the weights that were kept; infinite before the first epoch."""
        return self.validation_loss[self.best_epoch] if self.best_epoch >= 0 else float('inf')

    def plot(self, ax: Any = None) -> Any:
        """Plot the losses over the epochs, and where the learning rate was changed.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None
            Where to plot. None: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            With a logarithmic axis of root mean squared errors, in standard deviations of the
            outputs.

        Raises
        ------
        ImportError
            Without matplotlib (``pip install matplotlib networkx``).
        """
        ax = axes(ax, (6.4, 3.6))
        epochs = range(1, len(self.train_loss) + 1)
        halved = [
            epoch
            for epoch, before, now in zip(
                epochs[1:], self.learning_rate, self.learning_rate[1:], strict=False
            )
            if now <= 0.5 * before
        ]
        for number, epoch in enumerate(halved):
            label = 'learning rate halved' if number == 0 else None
            ax.axvline(epoch, color='0.8', linewidth=0.8, linestyle=':', label=label, zorder=0)
        for losses, color, name in (
            (self.train_loss, '#7a8ba3', 'training'),
            (self.validation_loss, '#d1495b', 'validation'),
        ):
            ax.semilogy(
                epochs, [loss**0.5 for loss in losses], color=color, linewidth=1.2, label=name
            )
        if self.best_epoch >= 0:
            ax.plot(
                self.best_epoch + 1,
                self.best_loss**0.5,
                'o',
                color='#d1495b',
                markersize=6,
                label=f'kept: epoch {self.best_epoch + 1}, {self.best_loss**0.5:.3g}',
            )
        ax.set_xlabel('epoch')
        ax.set_ylabel('error / standard deviation')
        ax.spines[['top', 'right']].set_visible(False)
        ax.legend(frameon=False, fontsize='small')
        return ax
