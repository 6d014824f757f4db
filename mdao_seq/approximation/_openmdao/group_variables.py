"""What a group is differentiated of and by: responses and design variables, or its variables."""

from typing import NamedTuple

import numpy as np

from mdao_seq.approximation._openmdao.names import names_any, relative


class Variable(NamedTuple):
    """A response, or a variable that is differentiated by.

    Attributes
    ----------
    name : str
        As it is shown: promoted, or an alias of a response.
    known_as : frozenset of str
        Names under which a declaration may mean it.
    source : str
        Absolute name of the output, or of a group's input.
    indices : ndarray of int or slice
        Which of its elements.
    """

    name: str
    known_as: frozenset
    source: str
    indices: np.ndarray | slice

    def is_named(self, patterns):
        """Whether one of several names or glob patterns means it."""
        return any(names_any(name, patterns) for name in self.known_as)


def variables_of_model(model, metas) -> list[Variable]:
    """Return the variables of which OpenMDAO's metadata is given, by name."""
    return [_of_model(model, name, meta) for name, meta in metas.items()]


def variables_below(group, sources, kind) -> list[Variable]:
    """Return the outputs, or inputs, of a group that is not the model.

    Parameters
    ----------
    group : Group
        The group.
    sources : iterable of str
        Their absolute names.
    kind : {'output', 'input'}
        Which they are.
    """
    return [
        Variable(_shown(group, name, kind), known_as(group, name, kind), name, slice(None))
        for name in sources
    ]


def _of_model(model, name, meta):
    indices = slice(None)
    if meta['indices'] is not None:
        indices = np.ravel(meta['indices'].shaped_array())
    names = {name} | known_as(model, meta['source'], 'output')
    return Variable(name, frozenset(names), meta['source'], indices)


def known_as(group, source, kind):
    """Return the names under which a declaration may mean a variable."""
    promoted = group._resolver.abs2prom(source, kind)
    return frozenset({promoted, relative(group, source)})


def _shown(group, source, kind):
    """Return the promoted name, unless several variables have it: each is perturbed alone."""
    promoted = group._resolver.abs2prom(source, kind)
    alone = kind == 'output' or len(group._resolver.absnames(promoted, kind)) == 1
    return promoted if alone else relative(group, source)


def wanted_of_model(model, ofs=('*',), wrts=('*',)):
    """Return OpenMDAO's metadata of responses and design variables, as compute_totals has it.

    Parameters
    ----------
    model : Group
        The model.
    ofs, wrts : tuple of str
        Names or glob patterns of those that the driver has; or names of other variables.

    Returns
    -------
    (dict, dict) or None
        None if there are none.
    """
    responses = model.get_responses(use_prom_ivc=True)
    # As a driver asks: objectives first; the derivatives of linear constraints it has once.
    known = [name for name, meta in responses.items() if not meta.get('linear')]
    known.sort(key=lambda name: responses[name]['type'] != 'obj')
    named = [_named(known, ofs), _named(model.get_design_vars(use_prom_ivc=True), wrts)]
    return model._get_totals_metadata(None, *named)[:2] if all(named) else None


def _named(known, patterns):
    found = [name for name in known if names_any(name, patterns)]
    return found or [pattern for pattern in patterns if not set(pattern) & set('*?[')]
