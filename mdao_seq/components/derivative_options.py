"""The options `partials` and `fd_steps` of components that have derivatives of their own."""

from collections.abc import Mapping
from fnmatch import filter as matching

from mdao_seq.approximation._openmdao.held_component import declares_as
from mdao_seq.approximation.holding import hold
from mdao_seq.differences.declaration import Declaration


def declare_fd_steps(options, others):
    """Declare the option; `others` says what the default is."""
    options.declare(
        'fd_steps',
        types=dict,
        default={},
        desc="With partials='fd': by output, or (output, input), a step or a dict of settings of "
        f'declare_partials; later ones replace earlier ones. Others: {others}.',
    )


def settle_partials(comp):
    """Make the option `partials` hold, at the beginning of a component's setup.

    Raises
    ------
    ValueError
        If there are `fd_steps` that would not be used.
    """
    partials = comp.options['partials']
    if partials != 'fd' and comp.options['fd_steps']:
        raise ValueError(
            f'{comp.msginfo}: fd_steps with partials={partials!r} would not be used; set '
            "partials='fd', or leave fd_steps out"
        )
    declares_as(comp, partials)
    comp.matrix_free = partials == 'matrix_free'
    if partials == 'fd':
        hold(comp)


def declare_differences(comp, defaults):
    """Declare them, of all outputs by each input, then what `fd_steps` has in their place.

    Parameters
    ----------
    comp : ExplicitComponent
        What declares, held by `PerOutputFD`.
    defaults : dict
        By input: settings of declare_partials.

    Raises
    ------
    ValueError
        If `fd_steps` names no output or input that there is, or a step that cannot be taken.
    """
    for wrt, settings in defaults.items():
        comp.declare_partials('*', wrt, method='fd', **settings)
    for key, given in comp.options['fd_steps'].items():
        if not isinstance(key, str) and len(key) != 2:
            raise ValueError(
                f'{comp.msginfo}: fd_steps has {key!r}: must be an output, or (output, input)'
            )
        of, wrt = (key, '*') if isinstance(key, str) else key
        own = given if isinstance(given, Mapping) else {'step': given}
        if 'step' in own:
            own = {'step_calc': 'abs'} | own
        for pattern in [wrt] if isinstance(wrt, str) else wrt:
            # What matches nothing is handed on: declare_partials has its words for it.
            for name in matching(defaults, pattern) or [pattern]:
                settings = {'method': 'fd'} | defaults.get(name, {}) | own
                try:
                    Declaration(of, name, **settings)
                    comp.declare_partials(of, name, **settings)
                except (TypeError, ValueError) as error:
                    raise ValueError(f'{comp.msginfo}: fd_steps[{key!r}]: {error}') from None
