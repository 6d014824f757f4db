"""The plain counter: the reference that recorder and predictions are compared with."""

from collections import Counter

import openmdao.api as om
import pytest

from mdao_seq.approximation._openmdao.names import DERIVES, EVALUATES


@pytest.fixture
def plainly_by_method(monkeypatch):
    """Count the calls of every method inside the methods themselves, by path and method.

    It stands in the classes' own methods, and knows nothing of causes, instances or hooks.
    """
    counted = Counter()

    def on(problem):
        components = [s for s in problem.model.system_iter() if not isinstance(s, om.Group)]
        owners = {
            (owner, name)
            for component in components
            for name in (*EVALUATES, *DERIVES)
            for owner in type(component).__mro__
            if name in vars(owner) and owner.__module__ != 'openmdao.core.' + owner.__name__.lower()
        }
        for owner, name in owners:
            original = vars(owner)[name]

            def method(self, *args, _original=original, _name=name, **kwargs):
                counted[self.pathname, _name] += 1
                return _original(self, *args, **kwargs)

            monkeypatch.setattr(owner, name, method)
        for component in components:
            if isinstance(component, om.SubmodelComp):
                on(component.problem)
        return counted

    return on
