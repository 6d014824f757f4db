"""Training of a network on sequences: `loop.train` goes through the epochs."""

from mdao_seq.sequence.training.history import History
from mdao_seq.sequence.training.loop import train
from mdao_seq.sequence.training.seeds import SeedRuns, train_seeds
from mdao_seq.sequence.training.settings import Settings

__all__ = ['History', 'SeedRuns', 'Settings', 'train', 'train_seeds']
