"""Optimizers, one a file; a new one is a file and a line here."""

from mdao_seq.sequence.training.optimizers.adam import Adam
from mdao_seq.sequence.training.optimizers.lbfgs import LBFGS
from mdao_seq.sequence.training.optimizers.optimizer import Optimizer

OPTIMIZERS: dict[str, type[Optimizer]] = {'adam': Adam, 'lbfgs': LBFGS}
