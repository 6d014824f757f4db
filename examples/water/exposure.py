"""How exposed junctions are to an injection elsewhere: a random walk along the water.

A parcel of water leaves a junction through a pipe, or is consumed there, in proportion to the
day's flows. `mdao_seq.PageRankComp` on that graph, with the personalization where the injection
may happen, scores how often the parcel passes each junction; the damping is the probability that
it goes one pipe further without having been noticed and stopped.
"""

import numpy as np
import openmdao.api as om

from mdao_seq import Graph, PageRankComp
from water.net3 import HOURS

INJECTION = 'Lake'
WATCHED = ('161', '171', '199')  # where Lake and River water meet: the schedule decides which
DAMPING = 0.95
CONSUMED = 'consumed'


class FlowGraph:
    """Net3 as a directed graph: both directions of each link, and consumption.

    Parameters
    ----------
    network : Net3
        The network.
    demand : array_like (junctions,)
        Mean consumption of each junction, L/s: an edge to the node ``'consumed'``.

    Attributes
    ----------
    graph : Graph
        Its weights are the consumption alone.
    along, against : ndarray (links,)
        Places of each link's two directions among the graph's edges.
    """

    def __init__(self, network, demand):
        nodes = [*network.network.node_name_list, CONSUMED]
        links = [network.network.get_link(name) for name in network.links]
        start = [link.start_node_name for link in links]
        end = [link.end_node_name for link in links]
        consumer = [name for name, used in zip(network.junctions, demand, strict=True) if used > 0]
        used = [used for used in demand if used > 0]
        self.graph = Graph.from_edges(
            src=[*start, *end, *consumer],
            dst=[*end, *start, *[CONSUMED] * len(consumer)],
            weights=[*np.zeros(2 * len(links)), *used],
            labels=nodes,
        )
        self.along, self.against = self.graph.edge_map[: 2 * len(links)].reshape(2, -1)


class EdgeWeightsComp(om.ExplicitComponent):
    """Weights of a `FlowGraph`'s edges: the day's mean flow in each direction.

    ``w = mean over hours of (q + sqrt(q^2 + width^2)) / 2`` for the direction of the link and the
    same of -q for the other: a positive part that is smooth, so that a flow may turn around.

    Inputs
    ------
    flow : (24, links)
        Signed flows, L/s.

    Outputs
    -------
    weights : (nnz,)
        In the order of the graph's edges, L/s.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare('flow_graph', types=FlowGraph, recordable=False, desc='The edges.')
        self.options.declare(
            'width', types=float, default=0.1, lower=0.0, desc='Flow that counts as small, L/s.'
        )

    def setup(self):
        """Declare input and output."""
        flow_graph = self.options['flow_graph']
        links = flow_graph.along.size
        self.add_input('flow', shape=(HOURS, links), units='L/s')
        # L/s, but without units: to PageRankComp only the ratios matter.
        self.add_output('weights', val=flow_graph.graph.weights)
        # Row-major (hour, link) twice: along, then against.
        rows = np.concatenate(
            [np.tile(flow_graph.along, HOURS), np.tile(flow_graph.against, HOURS)]
        )
        self.declare_partials(
            'weights', 'flow', rows=rows, cols=np.tile(np.arange(HOURS * links), 2)
        )

    def compute(self, inputs, outputs):
        """Average the smooth positive parts."""
        flow_graph, flow = self.options['flow_graph'], inputs['flow']
        size = np.sqrt(flow**2 + self.options['width'] ** 2)
        outputs['weights'] = flow_graph.graph.weights
        # Not +=: parallel pipes share an edge.
        np.add.at(outputs['weights'], flow_graph.along, (size + flow).mean(axis=0) / 2)
        np.add.at(outputs['weights'], flow_graph.against, (size - flow).mean(axis=0) / 2)

    def compute_partials(self, inputs, partials):
        """Differentiate the smooth positive parts."""
        flow = inputs['flow'].ravel()
        slope = flow / np.sqrt(flow**2 + self.options['width'] ** 2)
        partials['weights', 'flow'] = np.concatenate([1 + slope, slope - 1]) / (2 * HOURS)


class Exposure(om.Group):
    """From flows to the exposure of the watched junctions.

    Inputs
    ------
    flow : (24, links)
        Signed flows, L/s.

    Outputs
    -------
    exposure : (1,)
        Sum of the watched junctions' scores, per mille.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare('flow_graph', types=FlowGraph, recordable=False, desc='The edges.')

    def setup(self):
        """Chain weights, walk and sum."""
        flow_graph = self.options['flow_graph']
        self.add_subsystem('edges', EdgeWeightsComp(flow_graph=flow_graph), promotes=['flow'])
        self.add_subsystem(
            'walk',
            PageRankComp(
                graph=flow_graph.graph,
                damping=DAMPING,
                personalization={INJECTION: 1.0},
                of_nodes=WATCHED,
            ),
        )
        total = om.ExecComp('exposure = 1000 * sum(rank)', rank=np.zeros(len(WATCHED)))
        self.add_subsystem('watched', total, promotes=['exposure'])
        self.connect('edges.weights', 'walk.weights')
        self.connect('walk.rank', 'watched.rank')


def flows_that_matter(network, flow_graph, flow, number):
    """Choose the links whose flows move the exposure most.

    Parameters
    ----------
    network : Net3
        The network.
    flow_graph : FlowGraph
        Its graph.
    flow : ndarray (runs, 24, links)
        Flows of many days, L/s.
    number : int
        How many to choose.

    Returns
    -------
    list of str
        Names of links, those first for which |d(exposure)/d(flow)| times the spread of the flow
        over the days is largest.
    """
    problem = om.Problem(Exposure(flow_graph=flow_graph), reports=False)
    problem.setup(mode='rev')
    problem.set_val('flow', flow.mean(axis=0))
    problem.run_model()
    slope = problem.compute_totals('exposure', 'flow', return_format='array')
    effect = np.abs(slope.reshape(flow.shape[1:])) * flow.std(axis=0)
    return [network.links[k] for k in np.argsort(-effect.sum(axis=0))[:number]]


class FlowFieldComp(om.ExplicitComponent):
    """All flows from a few: the others stay at their mean over the experiments.

    Inputs
    ------
    flow_<link> : (1, 24)
        The flows that matter, L/s.

    Outputs
    -------
    flow : (24, links)
        L/s.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare('links', types=tuple, desc='Names of all links.')
        self.options.declare('chosen', types=list, desc='Names of those that are inputs.')
        self.options.declare('mean', types=np.ndarray, desc='Mean flows (24, links), L/s.')

    def setup(self):
        """Declare inputs, output and constant partials."""
        links, mean = self.options['links'], self.options['mean']
        self.add_output('flow', val=mean, units='L/s')
        for name in self.options['chosen']:
            self.add_input(f'flow_{name}', shape=(1, HOURS), units='L/s')
            rows = np.arange(HOURS) * len(links) + links.index(name)
            self.declare_partials('flow', f'flow_{name}', rows=rows, cols=np.arange(HOURS), val=1.0)

    def compute(self, inputs, outputs):
        """Put the chosen flows into their columns."""
        outputs['flow'] = self.options['mean']
        for name in self.options['chosen']:
            outputs['flow'][:, self.options['links'].index(name)] = inputs[f'flow_{name}'][0]
