"""A hook on one method of one object, shared by all who listen.

The only place where no evaluation is missed is the component's own method, so the counter stands
there: it replaces the method on the instance, and leaves the class alone. Several listeners share
a hook and may leave in any order; the last one restores the instance.
"""

import copy
from functools import partial


class Hook:
    """Stands in for a bound method and lets listeners act around each call.

    Parameters
    ----------
    owner : object
        The instance.
    name : str
        The method's name.
    """

    def __init__(self, owner, name):
        self._owner = owner
        self._name = name
        self._was_on_instance = name in vars(owner)
        self._original = getattr(owner, name)
        self._listeners = []
        vars(owner)[name] = self

    def __call__(self, *args, **kwargs):
        """Call the method through every listener."""
        call = partial(self._original, *args, **kwargs)
        if len(self._listeners) == 1:
            return self._listeners[0](self._owner, call)
        return self._heard(call)

    def _heard(self, call):
        for listener in self._listeners:
            call = partial(listener, self._owner, call)
        return call()

    def __deepcopy__(self, memo):
        """Give a copy of the owner its plain method: who listens here did not ask for the copy."""
        return copy.deepcopy(self._original, memo)

    def __reduce__(self):
        """Pickle as the plain method, likewise."""
        return getattr, (self._owner, self._name)


def listen(owner, name, listener):
    """Call ``listener(owner, proceed)`` in place of a method; it calls ``proceed()`` once.

    Parameters
    ----------
    owner : object
        The instance.
    name : str
        The method's name.
    listener : callable
        Added once, however often it is passed.
    """
    hook = vars(owner).get(name)
    if not isinstance(hook, Hook):
        hook = Hook(owner, name)
    if listener not in hook._listeners:
        hook._listeners.append(listener)


def is_heard(owner, name):
    """Whether calls of a method still pass through a hook: it may have been assigned since."""
    return isinstance(vars(owner).get(name), Hook)


def stop_listening(owner, name, listener):
    """Undo `listen`; restore the instance when nobody listens any more."""
    hook = vars(owner).get(name)
    if not isinstance(hook, Hook) or listener not in hook._listeners:
        return
    hook._listeners.remove(listener)
    if not hook._listeners:
        del vars(owner)[name]
        if hook._was_on_instance:
            vars(owner)[name] = hook._original


def stop_all(owner, name):
    """Restore a method whoever listens."""
    hook = vars(owner).get(name)
    for listener in hook._listeners[:] if isinstance(hook, Hook) else ():
        stop_listening(owner, name, listener)


def without_hooks(owner):
    """Return a copy of the instance's attributes in which nobody listens."""
    plain = dict(vars(owner))
    for name, hook in vars(owner).items():
        if isinstance(hook, Hook):
            del plain[name]
            if hook._was_on_instance:
                plain[name] = hook._original
    return plain


def tell(owner, name):
    """Let those who listen know of a call that was made elsewhere."""
    hook = vars(owner).get(name)
    if isinstance(hook, Hook):
        hook._heard(lambda: None)
