"""An LSTM that has learned Net3's days: training, errors, and its place in the design problem."""

import numpy as np
import openmdao.api as om

from mdao_seq import RNNComp, SequenceModel, Signal
from water.exposure import FlowFieldComp
from water.net3 import HOURS, PUMPS, TANKS, level_of, speed_of


class SurrogateDay(om.Group):
    """The LSTM in place of EPANET: same variables as `EpanetDay`, exact derivatives."""

    def initialize(self):
        """Declare the options."""
        self.options.declare('model', types=SequenceModel, recordable=False, desc='The LSTM.')
        self.options.declare('links', types=tuple, desc='Names of all links.')
        self.options.declare('chosen', types=list, desc='Links whose flows the LSTM predicts.')
        self.options.declare('mean_flow', types=np.ndarray, desc='Flows (24, links), L/s.')

    def setup(self):
        """Predict the day, then fill in the flows that are not predicted."""
        options = self.options
        lstm = RNNComp(model=options['model'], batch_size=1, seq_len=HOURS)
        field = FlowFieldComp(
            links=options['links'], chosen=options['chosen'], mean=options['mean_flow']
        )
        self.add_subsystem('lstm', lstm, promotes=['*'])
        self.add_subsystem('field', field, promotes=['*'])


def train(days, chosen, hidden_size, epochs, patience, seed):
    """Fit an LSTM to recorded days.

    Parameters
    ----------
    days : dict of str to ndarray
        Trajectories (runs, 24) and demand_multiplier (runs,); ``flow_<link>`` for each chosen link.
    chosen : list of str
        Links whose flows are predicted.
    hidden_size, epochs, patience, seed : int
        Of the network and its training.

    Returns
    -------
    SequenceModel
        Trained.
    """
    model = SequenceModel(
        inputs=[Signal(speed_of(pump)) for pump in PUMPS],
        static_inputs=[Signal('demand_multiplier')],
        outputs=[
            *(Signal(level_of(tank), units='m') for tank in TANKS),
            Signal('energy', units='kW*h'),
            Signal('pressure', units='m'),
            *(Signal(f'flow_{link}', units='L/s') for link in chosen),
        ],
        cell='lstm',
        hidden_size=hidden_size,
        seed=seed,
    )
    names = [signal.name for signal in (*model.inputs, *model.static_inputs)]
    model.fit(
        {name: days[name] for name in names},
        {signal.name: days[signal.name] for signal in model.outputs},
        epochs=epochs,
        validation_fraction=0.15,
        patience=patience,
        seed=seed,
    )
    return model


def errors(model, seen, held_out):
    """Compare predictions of held-out days with EPANET, and with the mean day.

    Returns
    -------
    dict of str to tuple of float
        For each output: root mean square error of the model, and of the mean trajectory of the
        days that were seen, which knows the hour but not the schedule.
    """
    names = [signal.name for signal in (*model.inputs, *model.static_inputs)]
    predicted = model.predict({name: held_out[name] for name in names})
    return {
        signal.name: (
            _rms(predicted[signal.name] - held_out[signal.name]),
            _rms(seen[signal.name].mean(axis=0) - held_out[signal.name]),
        )
        for signal in model.outputs
    }


def _rms(difference):
    return float(np.sqrt(np.mean(np.square(difference))))
