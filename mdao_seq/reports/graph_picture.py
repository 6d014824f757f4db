"""A graph whose edges are coloured by how much they move a score."""

import numpy as np

from mdao_seq._plotting import axes

RAISES, LOWERS, NODE, OF = '#0072B2', '#D55E00', '#d9dfe6', '#f0c95a'


def draw_report(report, ax, count, max_nodes, seed):
    """Draw an `EdgeReport`; see its `plot`."""
    if max_nodes < 1:
        raise ValueError(f'max_nodes = {max_nodes}: must be at least 1')
    ax = axes(ax, (8, 5.5))
    try:
        import networkx as nx
    except ImportError as error:
        raise ImportError(f'{error}: pip install matplotlib networkx') from error

    graph, top = report.graph, report.top(count)
    nodes = _drawn(report, top, max_nodes)
    network = nx.DiGraph()
    network.add_nodes_from(nodes)
    inside = np.isin(graph.src, nodes) & np.isin(graph.dst, nodes)
    for e in np.flatnonzero(inside):
        network.add_edge(int(graph.src[e]), int(graph.dst[e]))
    place = (
        nx.kamada_kawai_layout(nx.Graph(network))
        if len(nodes) <= 60
        else (nx.spring_layout(network, seed=seed))
    )
    nodes = nodes.tolist()
    sizes = 80 + 1400 * report.scores[nodes] / report.scores[nodes].max()
    ranked = {graph.node(name) for name in report.of}
    colours = [OF if i in ranked else NODE for i in nodes]
    of_edges = {'ax': ax, 'node_size': sizes, 'nodelist': nodes, 'connectionstyle': 'arc3,rad=0.08'}
    nx.draw_networkx_edges(network, place, edge_color='#c4ccd4', width=0.7, arrowsize=7, **of_edges)
    largest = np.abs(report.elasticities[top]).max(initial=0.0) or 1.0
    for e in top[::-1]:
        ends = int(graph.src[e]), int(graph.dst[e])
        if ends not in network.edges:
            continue
        elasticity = report.elasticities[e]
        nx.draw_networkx_edges(
            network,
            place,
            edgelist=[ends],
            edge_color=RAISES if elasticity > 0 else LOWERS,
            width=1.0 + 4.0 * abs(elasticity) / largest,
            arrowsize=14,
            **of_edges,
        )
    nx.draw_networkx_nodes(
        network, place, nodes, ax=ax, node_size=sizes, node_color=colours, edgecolors='#5a6672'
    )
    names = {i: str(graph.name(int(i))) for i in nodes}
    nx.draw_networkx_labels(network, place, names, ax=ax, font_size=8)
    for colour, label in ((RAISES, 'raises the score'), (LOWERS, 'lowers it')):
        ax.plot([], [], color=colour, linewidth=3, label=f'more weight {label}')
    of = ' + '.join(map(str, report.of[:3])) + (' + …' if len(report.of) > 3 else '')
    ax.set_title(f'What moves the score of {of}')
    ax.legend(loc='lower left', frameon=False, fontsize=9)
    ax.margins(0.12)
    ax.set_axis_off()
    return ax


def _drawn(report, top, max_nodes):
    """Return the numbers of the nodes to draw, sorted."""
    graph = report.graph
    if graph.n <= max_nodes:
        return np.arange(graph.n)
    first = [graph.node(name) for name in report.of]
    ends = np.stack([graph.src[top], graph.dst[top]], axis=1).ravel()
    wanted = dict.fromkeys([*first, *ends.tolist(), *np.argsort(-report.scores)[:max_nodes]])
    return np.sort(np.array([int(i) for i in wanted][:max_nodes]))
