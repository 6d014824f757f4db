"""Which exact partials a component's own code sets, as far as it can be read without running it.

Code that writes ``partials['y', 'x']`` has the names as a constant; code that makes the names up
has not, and then nothing is known.
"""

from functools import cache
from inspect import unwrap
from types import CodeType


def fills(component, of, wrt) -> bool | None:
    """Whether ``compute_partials`` (``linearize``) sets a partial; None: it cannot be told.

    Parameters
    ----------
    component : om.ExplicitComponent or om.ImplicitComponent
        The component.
    of, wrt : str
        Names in the component.
    """
    explicit = component.is_explicit()
    if not getattr(component, '_has_compute_partials' if explicit else '_has_linearize'):
        return False
    method = getattr(type(component), 'compute_partials' if explicit else 'linearize')
    named = _pairs(getattr(unwrap(method), '__code__', None))
    return (of, wrt) in named if named else None


@cache
def _pairs(code):
    """Return the pairs of names among the constants of a function, and of those inside it."""
    found = set()
    for constant in () if code is None else code.co_consts:
        if isinstance(constant, CodeType):
            found |= _pairs(constant)
        elif isinstance(constant, tuple) and len(constant) == 2:
            if all(isinstance(name, str) for name in constant):
                found.add(constant)
    return frozenset(found)
