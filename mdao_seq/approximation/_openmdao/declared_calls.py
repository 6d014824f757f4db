"""Hear every declare_partials and declare_coloring as it is made, and change nothing.

OpenMDAO merges repeated declarations into one dict, in which what was said cannot be read any more.
The listener stands in `Component`, which every class's own way of declaring passes through.
"""

from collections.abc import Iterable, Mapping
from functools import wraps
from inspect import signature
from typing import NamedTuple
from weakref import WeakKeyDictionary

from openmdao.core.component import Component


class Call(NamedTuple):
    """One declaration, as it was made.

    Attributes
    ----------
    of, wrt : tuple of str
        Names or glob patterns.
    given : mapping
        The options that were stated; what is not there, or None, was left out.
    meta : dict
        OpenMDAO's own record, which later declarations in the same words change.
    is_coloring : bool
        Whether ``declare_coloring`` made it.
    is_outside : bool
        Whether it was made before the component was ever set up.
    """

    of: tuple[str, ...]
    wrt: tuple[str, ...]
    given: Mapping
    meta: dict
    is_coloring: bool = False
    is_outside: bool = False


_heard_by: list = []
_coloring: list = []
_stock_declare_partials = Component.declare_partials
_stock_declare_coloring = Component.declare_coloring


class DeclarationListener:
    """Keeps the declarations of every component, from `start` until `stop`."""

    def __init__(self):
        self._calls = WeakKeyDictionary()

    def start(self):
        """Listen; again is harmless."""
        if self not in _heard_by:
            _heard_by.append(self)
        Component.declare_partials = _declare_partials
        Component.declare_coloring = _declare_coloring

    def stop(self):
        """Hear no more; OpenMDAO is as it was after the last listener."""
        if self in _heard_by:
            _heard_by.remove(self)
        if not _heard_by:
            Component.declare_partials = _stock_declare_partials
            Component.declare_coloring = _stock_declare_coloring

    def note(self, component, call):
        """Keep a call."""
        self._calls.setdefault(component, []).append(call)

    def before_setup(self, component):
        """Forget what an earlier setup has declared, and take over what was not heard."""
        calls = [call for call in self._calls.get(component, ()) if call.is_outside]
        heard = {id(call.meta) for call in calls}
        calls[:0] = [
            Call(_names(of), _names(wrt), dict(meta), meta, 'coloring' in meta, True)
            for (of, wrt), meta in component._declared_partials_patterns.items()
            if id(meta) not in heard
        ]
        self._calls[component] = calls

    def calls(self, component):
        """Return what was declared, in order, but for what the class itself has withdrawn."""
        kept = {id(meta) for meta in component._declared_partials_patterns.values()}
        return [call for call in self._calls.get(component, ()) if id(call.meta) in kept]


@wraps(_stock_declare_partials)
def _declare_partials(self, *args, **kwargs):
    bound = signature(_stock_declare_partials).bind(self, *args, **kwargs)
    for name in ('of', 'wrt'):
        # An iterator can be read only once.
        if isinstance(bound.arguments[name], Iterable):
            bound.arguments[name] = _unchanged(bound.arguments[name])
    meta = _stock_declare_partials(*bound.args, **bound.kwargs)
    given = dict(bound.arguments)
    of, wrt = (_names(given.pop(name)) for name in ('of', 'wrt'))
    is_coloring = bool(_coloring) and _coloring[-1][0] is self
    if is_coloring:
        given = _coloring[-1][1]
    call = Call(of, wrt, given, meta, is_coloring, self._problem_meta is None)
    for listener in _heard_by:
        listener.note(self, call)
    return meta


@wraps(_stock_declare_coloring)
def _declare_coloring(self, *args, **kwargs):
    bound = signature(_stock_declare_coloring).bind(self, *args, **kwargs)
    given = {name: bound.arguments.get(name) for name in ('method', 'step', 'form')}
    _coloring.append((self, given))
    try:
        return _stock_declare_coloring(self, *args, **kwargs)
    finally:
        _coloring.pop()


def _unchanged(names):
    return names if isinstance(names, str) else tuple(names)


def _names(names):
    return (names,) if isinstance(names, str) else tuple(names)
