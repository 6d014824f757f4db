"""The auditor: hears what components declare, and looks at them when their setup is final."""

import sys
import sysconfig
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

from openmdao.core.indepvarcomp import IndepVarComp

from mdao_seq.approximation._openmdao.comparing import compare, declared
from mdao_seq.approximation._openmdao.declared_calls import DeclarationListener
from mdao_seq.approximation._openmdao.held_system import HeldSystem
from mdao_seq.approximation._openmdao.names import approximated_keys, relative
from mdao_seq.approximation._openmdao.partials import Partials, relevant_keys
from mdao_seq.approximation._openmdao.plans import build, plan_declared
from mdao_seq.approximation._openmdao.stock_plans import plan_stock
from mdao_seq.approximation._openmdao.systems import (
    as_linearized,
    is_final,
    on_component_setup,
    stop_on_component_setup,
)
from mdao_seq.approximation.findings import AuditedComponent, Finding
from mdao_seq.approximation.losses import Lost, kinds_lost
from mdao_seq.differences.declaration import Declaration


class Auditor:
    """Audits components as they become final.

    Attributes
    ----------
    found : dict of (str, str) to AuditedComponent
        By problem and path: components that approximate partials, or were meant to. A further
        problem of the same name has its number behind it.
    passed : set of (str, str)
        The others.
    """

    def __init__(self):
        self.found = {}
        self.passed = set()
        self._listener = DeclarationListener()
        self._awaited = WeakKeyDictionary()
        self._numbers = WeakKeyDictionary()
        self._models = Counter()

    def listen(self):
        """Hear what is declared from now on."""
        self._listener.start()

    def stop(self):
        """Hear no more."""
        self._listener.stop()

    def expect_all(self):
        """Await every component that is set up from now on."""
        on_component_setup(self._expect)

    @contextmanager
    def expecting(self):
        """Await the components that are set up inside of a ``with`` block."""
        self.expect_all()
        try:
            yield
        finally:
            stop_on_component_setup(self._expect)

    def _expect(self, component):
        self._listener.before_setup(component)
        self._awaited[component] = None

    def _label(self, problem):
        """Return the name of a problem, with a number if there was another of this name."""
        name, model = problem['name'], problem['model_ref']()
        if model is None:
            return name  # the problem is gone, and nothing tells it from others
        if model not in self._numbers:
            self._models[name] += 1
            self._numbers[model] = self._models[name]
        number = self._numbers[model]
        return f'{name} ({number})' if number > 1 else name

    def include(self, found, passed):
        """Add what another process has found of its own components."""
        self.found = found | self.found
        self.passed = (self.passed | passed) - set(self.found)

    def take(self):
        """Audit the awaited components that are final."""
        for component in [each for each in self._awaited if is_final(each)]:
            del self._awaited[component]
            place = self._label(component._problem_meta), component.pathname
            self.found.pop(place, None)
            self.passed.discard(place)
            result = _audited(component, self._listener.calls(component), *place)
            if result is not None:
                self.found[place] = result
            elif not isinstance(component, IndepVarComp):
                self.passed.add(place)


def _audited(component, calls, problem, path):
    """Return the `AuditedComponent`; None if it neither approximates nor was meant to."""
    is_held = isinstance(component, HeldSystem)
    meant = declared(component, calls)
    if not approximated_keys(component) and not any(each.is_approximate for each in meant.values()):
        return None
    findings = [] if is_held else _findings(component, meant, problem, path)
    methods = Counter(each.setting.method for each in meant.values())
    with as_linearized(component):
        if is_held:
            plans = [_planned(plan_declared, component)] * 2
        else:
            plans = [_planned(plan_stock, component), _planned(_plan_meant, component, meant)]
    return AuditedComponent(
        problem,
        path,
        type(component).__name__,
        ', '.join(f'{number} {method}' for method, number in sorted(methods.items(), reverse=True)),
        *(None if plan is None else plan.total for plan in plans),
        next((plan.bound for plan in plans if plan is not None), ''),
        is_held,
        tuple(findings),
    )


def _findings(component, meant, problem, path):
    line = _class_line(type(component))
    for each in compare(component, meant):
        of, wrt = (relative(component, name) for name in each.key)
        decider = ''
        if each.decider is not None:
            decider = 'd({})/d({})'.format(*(relative(component, n) for n in each.decider))
        lost = Lost(of, wrt, each.declared, line)
        for kind, loss in kinds_lost(each.decided_by, each.declared, each.actual, each.differing):
            settings = each.declared, each.actual
            yield Finding(problem, path, of, wrt, kind, *settings, decider, loss.mend(lost))


def _planned(plan, *arguments):
    try:
        return plan(*arguments)
    except ValueError:  # options that OpenMDAO will refuse as well
        return None


def _plan_meant(component, meant):
    """Plan what a component that is not held declares, for the totals that are wanted."""
    approximate = {key: each.setting for key, each in meant.items() if each.is_approximate}
    declarations = [
        Declaration(*(relative(component, name) for name in key), **approximate[key]._asdict())
        for key in relevant_keys(component, list(approximate))
    ]
    return build(component, declarations, Partials(component))


def _class_line(cls):
    """Return how a class of the user's own would begin as one that holds."""
    file = getattr(sys.modules.get(cls.__module__), '__file__', None)
    installed = {Path(sysconfig.get_path(name)) for name in ('purelib', 'platlib')}
    if file is not None and installed & set(Path(file).resolve().parents):
        return ''
    bases = ', '.join(
        f'om.{base.__name__}' if base.__module__.startswith('openmdao.') else base.__name__
        for base in cls.__bases__
    )
    return f'class {cls.__name__}(PerOutputFD, {bases}):'
