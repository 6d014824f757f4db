"""Hold the declarations of classes that you cannot edit: one problem's, or a whole process's."""

from functools import cache

import openmdao.api as om

from mdao_seq._hook import listen
from mdao_seq.approximation._openmdao.held_component import HeldComponent, hold_from_here
from mdao_seq.approximation._openmdao.systems import (
    is_set_up,
    on_component_setup,
    stop_on_component_setup,
)
from mdao_seq.approximation.per_output_fd import PerOutputFD


def hold_declarations(problem):
    """Let every component of a problem keep its declarations, as under `PerOutputFD`.

    Parameters
    ----------
    problem : om.Problem
        Not set up yet: OpenMDAO merges repeated declarations as they are made.

    Raises
    ------
    TypeError
        If it is not a problem.
    RuntimeError
        After ``problem.setup()``.

    Examples
    --------
    >>> problem = om.Problem(model)                              # doctest: +SKIP
    >>> hold_declarations(problem)                               # doctest: +SKIP
    >>> problem.setup()                                          # doctest: +SKIP
    """
    check_before_setup(problem, 'hold_declarations')
    listen(problem, 'setup', _setup_held)


def check_before_setup(problem, caller):
    """Refuse what is no problem, or one whose declarations OpenMDAO has merged already."""
    if not isinstance(problem, om.Problem):
        raise TypeError(f'{caller}({problem!r}): an om.Problem is needed')
    if is_set_up(problem.model):
        raise RuntimeError(
            f'{caller}(problem): the problem is set up already, and OpenMDAO has merged the '
            'declarations that were repeated; call it before problem.setup()'
        )


def _setup_held(problem, proceed):
    with hold_all_declarations():
        return proceed()


class hold_all_declarations:
    """Let every component that is set up from now on keep its declarations.

    A plain call holds for the rest of the process; as a context manager it ends with the block.
    Components that are held already, by either means, are left alone.

    Examples
    --------
    >>> hold_all_declarations()                                  # doctest: +SKIP
    >>> with hold_all_declarations():                            # doctest: +SKIP
    ...     problem.setup()
    """

    def __init__(self):
        on_component_setup(hold)

    def __enter__(self):
        """Hold already: nothing is left to do."""
        return self

    def __exit__(self, *exception):
        """Hold no further component; those that are set up stay held."""
        stop_on_component_setup(hold)


def hold(component):
    """Turn one component, before its setup, into a held one of the same name.

    Parameters
    ----------
    component : om.ExplicitComponent or om.ImplicitComponent
        Changed in place.
    """
    if not isinstance(component, HeldComponent) and isinstance(
        component, om.ExplicitComponent | om.ImplicitComponent
    ):
        hold_from_here(component, held_class(type(component)))


@cache
def held_class(cls):
    """Return `cls` with `PerOutputFD` before it; it prints, copies and pickles like `cls`."""
    return type(
        cls.__name__,
        (PerOutputFD, cls),
        {
            '__module__': cls.__module__,
            '__qualname__': cls.__qualname__,
            '__doc__': cls.__doc__,
            '__reduce__': _reduce,
            '_held_from': cls,
            # A class that was not written for us fails where it would have failed without us.
            '_check_declaration': lambda self, *declaration: None,
            '_declares_as_openmdao': True,
        },
    )


def _reduce(component):
    """Name the original class, which a pickle can find again, and hold what it restores."""
    return _restore, (type(component)._held_from,), component.__getstate__()


def _restore(cls):
    held = held_class(cls)
    return held.__new__(held)
