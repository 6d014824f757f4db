"""Names: OpenMDAO's absolute and relative ones, and those under which we keep what it has not."""

from fnmatch import fnmatchcase

from openmdao.approximation_schemes.complex_step import ComplexStep
from openmdao.approximation_schemes.finite_difference import FiniteDifference

STOCK = {'fd': FiniteDifference, 'cs': ComplexStep}

OPTIONS = ('method', 'step', 'form', 'step_calc', 'minimum_step')

SPARSITY = ('rows', 'cols', 'diagonal')

# Stands for all declarations of a component that is not held: OpenMDAO does not tell them apart.
UNDIVIDED = 'd(*)/d(*)'

# What an explicit and an implicit component evaluate by, and what they differentiate by.
BATCH = 'compute_batch'
EVALUATES_EXPLICIT = ('compute', BATCH)
EVALUATES_IMPLICIT = ('apply_nonlinear', 'solve_nonlinear')
EVALUATES = (*EVALUATES_EXPLICIT, *EVALUATES_IMPLICIT)
DERIVES_EXPLICIT = ('compute_partials', 'compute_jacvec_product')
DERIVES_IMPLICIT = ('linearize', 'apply_linear', 'solve_linear')
DERIVES = (*DERIVES_EXPLICIT, *DERIVES_IMPLICIT)

# What a group evaluates by when it is differenced as a whole.
EVALUATES_WHOLE = 'run_solve_nonlinear'

# The method that every linearization of a system passes through, whoever asks for it.
LINEARIZE = '_linearize'

# Where a component looks for its sparsity, and any system for the coloring that follows from it.
FINDS_SPARSITY = 'compute_sparsity'
FINDS_COLORING = '_compute_coloring'

# Where a driver looks for the coloring of its totals.
FINDS_TOTAL_COLORING = '_get_coloring'

# The options that OpenMDAO does not have, a dict; under names of its own its schemes refuse them.
OURS = 'held_options'

# Where an exact declaration keeps the approximation of the same names that it replaces.
REPLACED = 'held_replaced'

# What a held component declared of a partial; OpenMDAO's approx_totals above changes its metadata.
DECLARED = 'held_declared'

# Marks the metadata of a group's own subjacobians.
OF_GROUP = 'held_of_group'

# Which named residual gave the partials of an output their options.
BY_RESIDUAL = 'held_by_residual'


def absolute(system, name):
    return f'{system.pathname}.{name}' if system.pathname else name


def relative(system, name):
    return name[len(system.pathname) + 1 :] if system.pathname else name


def approximated_keys(system) -> list[tuple[str, str]]:
    return [key for key, m in system._subjacs_info.items() if declared(m).get('method') in STOCK]


def declared(meta) -> dict:
    """Return the options of a partial as the component declared them."""
    return meta.get(DECLARED, meta)


def names_any(name, patterns) -> bool:
    """Whether a name is one of several, or matches a glob pattern among them."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
