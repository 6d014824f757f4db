"""Compare what a component declared with what OpenMDAO holds, for each (of, wrt).

`declared` has what was meant: a later declaration replaces an earlier one whole, and a coloring
adds to what was declared. `deciders` has what is done: of each input OpenMDAO keeps the last
declaration, and of a coloring one.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from openmdao.utils import coloring as coloring_mod

from mdao_seq.approximation._openmdao.filling import fills
from mdao_seq.approximation._openmdao.names import (
    OPTIONS,
    STOCK,
    absolute,
    approximated_keys,
    relative,
)
from mdao_seq.approximation._openmdao.partials import as_openmdao_means
from mdao_seq.approximation.losses import (
    COLORING,
    COLUMN,
    EARLIER,
    MATRIX_FREE,
    RESIDUAL,
    SIGN,
    Setting,
)

EXACT = Setting('exact')
NONE = Setting('none')


class Meant(NamedTuple):
    """What the last declaration of one (of, wrt) says.

    Attributes
    ----------
    options : mapping
        What was stated of an approximation; empty of an exact partial.
    has_value : bool
        Whether an exact partial was given its value.
    """

    options: Mapping
    has_value: bool = False

    @property
    def is_approximate(self):
        """Whether it costs evaluations."""
        return 'method' in self.options

    @property
    def setting(self):
        """All of its options."""
        return setting_of(self.options) if self.is_approximate else EXACT


class Compared(NamedTuple):
    """One (of, wrt) that is not done as declared.

    Attributes
    ----------
    key : (str, str)
        Absolute names.
    declared, actual : Setting
        What was meant and what is done.
    decided_by : str
        Who decides; see `losses`.
    decider : (str, str) or None
        The pair whose options are taken, if that is another.
    differing : list of str
        Options that differ.
    """

    key: tuple[str, str]
    declared: Setting
    actual: Setting
    decided_by: str
    decider: tuple[str, str] | None
    differing: list[str]


def setting_of(options):
    """Return the setting that OpenMDAO's options mean, with its defaults."""
    options = {'method': options['method']} | as_openmdao_means(options)
    method = options.pop('method')
    filled = {k: v for k, v in STOCK[method].DEFAULT_OPTIONS.items() if k in OPTIONS}
    setting = Setting(method, **(filled | {k: v for k, v in options.items() if v is not None}))
    return setting if setting.is_relative else setting._replace(minimum_step=None)


def declared(component, calls) -> dict[tuple[str, str], Meant]:
    """Return what is meant for each (of, wrt), absolute names, from the calls that were made."""
    meant = {}
    for call in calls:
        for key in _keys(component, call):
            now = _meant(component, key, call, meant.get(key))
            if now is None:
                meant.pop(key, None)
            else:
                meant[key] = now
    replaces = component.options['derivs_method'] if 'derivs_method' in component.options else None
    if replaces in STOCK:
        # OpenMDAO's option stands above every declaration; their steps are not meant for it.
        for key, was in meant.items():
            of_method = was.options.get('method') == replaces
            meant[key] = Meant(was.options if of_method else {'method': replaces})
    return meant


def _keys(component, call):
    if not _has_named_residuals(component):
        return list(component._matching_key_iter(call.of, call.wrt))
    residuals = {
        name for _, names in component._find_of_matches(call.of, use_resname=True) for name in names
    }
    outputs = dict.fromkeys(
        of for residual in residuals for of, *_ in component._resid2out_subjac_map[residual]
    )
    wrts = [name for _, names in component._find_wrt_matches(call.wrt) for name in names]
    return [(absolute(component, of), absolute(component, wrt)) for of in outputs for wrt in wrts]


def _has_named_residuals(component):
    return bool(getattr(component, '_declared_residuals', None))


def _meant(component, key, call, before):
    """Return what a pair means after one more call; None: that it is zero."""
    given = {name: value for name, value in call.given.items() if value is not None}
    was_approximate = before is not None and before.is_approximate
    if call.is_coloring:
        # "Leave undeclared to keep unchanged from previous or default value."
        kept = before.options if was_approximate else {'method': 'fd'}
        if given.get('method', kept['method']) != kept['method']:
            kept = {}
        return Meant({**kept, **given})
    if not given.get('dependent', True):
        return None
    if given.get('method') in STOCK:
        return Meant({name: given[name] for name in OPTIONS if name in given})
    has_value = given.get('val') is not None
    if was_approximate and not has_value and _fills(component, key) is False:
        return before  # nothing sets it: the approximation is what gives its value
    return Meant({}, has_value)


def _fills(component, key):
    return fills(component, *(relative(component, name) for name in key))


def compare(component, meant) -> list[Compared]:
    """Return the pairs of a component that are not done as declared."""
    decides = deciders(component)
    approximate_wrts = {key[1] for key, each in meant.items() if each.is_approximate}
    found = []
    for key, each in meant.items():
        if each.is_approximate:
            result = _compare_approximate(component, key, meant, decides)
        else:
            result = _compare_exact(component, key, each, decides, key[1] in approximate_wrts)
        if result is not None:
            found.append(result)
    return found


def _compare_exact(component, key, meant, decides, shares_its_column):
    decider = decides.get(key[1])
    if decider is None or component.matrix_free:
        return None
    stays = component._subjacs_info.get(key, {}).get('method') in STOCK
    if meant.has_value:
        if not stays and _fills(component, key):
            return None  # the value was an initial one
    # What compute_partials sets is right after all, and costs nothing if the points serve others.
    elif not stays or shares_its_column:
        return None
    actual = setting_of(component._subjacs_info[decider])
    by = EARLIER if stays else COLUMN
    return Compared(key, EXACT, actual, by, _other(decider, key), ['value'])


def _compare_approximate(component, key, meant, decides):
    setting = meant[key].setting
    if component.matrix_free:
        return Compared(key, setting, NONE, MATRIX_FREE, None, ['method'])
    own = component._subjacs_info.get(key, {})
    if own.get('method') not in STOCK:
        actual = EXACT if own else NONE
        return Compared(key, setting, actual, EARLIER, None, ['method'])
    decider = decides[key[1]]
    options = component._subjacs_info[decider]
    actual = setting_of(options)
    if decider == key and _vanishes(options):
        actual = actual._replace(step=actual.minimum_step)
        return Compared(key, setting, actual, SIGN, None, ['step'])
    differing = setting.differs(actual)
    by = RESIDUAL if _has_named_residuals(component) else EARLIER
    if differing:
        # Where the decider was meant alike, it has lost the same, and is not to blame.
        if decider != key and (decider not in meant or meant[decider].setting != setting):
            by = COLUMN if decider[1] == key[1] else COLORING
    elif setting.is_relative and _is_scaled_otherwise(component, key, decider, setting):
        by, differing = COLORING, ['step']
    else:
        return None
    return Compared(key, setting, actual, by, _other(decider, key), differing)


def _other(decider, key):
    return None if decider == key else decider


def _vanishes(options):
    """Whether a relative step is negative: OpenMDAO takes the greater of it and the minimum."""
    step = options.get('step')
    relative = options.get('step_calc') not in (None, 'abs')
    return relative and step is not None and np.asarray(step).item() < 0


def _is_scaled_otherwise(component, key, decider, setting):
    """Whether a relative step is relative to another input, or to one element of several."""
    if decider[1] != key[1]:
        return True
    if setting.step_calc != 'rel_element' or component._subjacs_info[key]['shape'][1] == 1:
        return False
    return bool(_colored(component, [key[1]]))


def deciders(component) -> dict[str, tuple[str, str]]:
    """Return, by input, the (of, wrt) whose options OpenMDAO takes for its columns."""
    is_input = component._var_abs2meta['input'].__contains__
    columns = {}
    # OpenMDAO fills its schemes from the end, and keeps what comes first.
    for key in reversed(approximated_keys(component)):
        if is_input(key[1]) or not component.is_explicit():
            columns.setdefault(key[1], key)
    # Where a coloring does not say so, columns are perturbed one by one as well, afterwards.
    infos = {wrt: component._subjacs_info[key] for wrt, key in columns.items()}
    colored = [wrt for wrt in _colored(component, columns) if 'coloring' in infos[wrt]]
    if colored:
        # Each scheme runs all colors by the options of its first input; the last one is right.
        used = {infos[wrt]['method']: wrt for wrt in reversed(colored)}
        order = [method for method in component._approx_schemes if method in used]
        decider = columns[used[order[-1]] if order else colored[0]]
        columns |= dict.fromkeys(colored, decider)
    return columns


def _colored(component, wrts):
    """Return those of some inputs that a coloring perturbs together, once it is found."""
    info = component._coloring_info
    if not coloring_mod._use_partial_sparsity or not (info.dynamic or info.coloring is not None):
        return []
    info._update_wrt_matches(component)
    return [wrt for wrt in wrts if info.wrt_matches is None or wrt in info.wrt_matches]
