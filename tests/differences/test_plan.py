"""Evaluation plans: distinct points, owners, and the sum that must come out."""

import numpy as np
import pytest

from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import Cost
from mdao_seq.differences.planning import build_plan


def plan_of(*declarations, **values):
    return build_plan(declarations, {'x': 1.0, **values}, 'comp')


def central(of, step, **options):
    return Declaration(of, 'x', step=step, form='central', **options)


def forward(of, step, **options):
    return Declaration(of, 'x', step=step, form='forward', **options)


@pytest.mark.parametrize(
    ('declarations', 'total'),
    [
        ([central('y1', 0.01), central('y2', 0.05)], 4),
        ([central('y1', 0.01), central('y2', 0.01)], 2),
        ([forward('y1', 0.01), central('y2', 0.01)], 2),
        ([central('y1', 0.01), forward('y2', 0.01)], 2),
        ([Declaration('y1', 'x', 'cs'), central('y2', 0.01)], 3),
        ([central('y1', 0.1, order=4), central('y2', 0.2)], 4),
        ([central('y1', 0.1, order=6), central('y2', 0.3), central('y3', 0.2)], 6),
        ([forward('y1', 0.1, order=3), forward('y2', 0.2)], 3),
        ([], 0),
    ],
)
def test_every_distinct_point_once(declarations, total):
    plan = plan_of(*declarations)
    assert plan.total == total
    assert sum(cost.owned for cost in plan.by_declaration.values()) == total


def test_points_are_one_when_they_agree_to_rounding():
    """Three steps of 0.1 is not 0.3 to the bit, but it is the same point."""
    assert 3 * 0.1 != 0.3
    assert plan_of(central('y1', 0.1, order=6), central('y2', 0.3)).total == 6
    assert plan_of(central('y1', 0.3), central('y2', 0.3 * (1 + 1e-9))).total == 4


def test_the_first_to_ask_owns():
    near, wide = forward('y1', 0.01), central('y2', 0.01)
    assert plan_of(near, wide).by_declaration == {near: Cost(1, 0), wide: Cost(1, 1)}
    assert plan_of(wide, near).by_declaration == {wide: Cost(2, 0), near: Cost(0, 1)}


def test_vector_inputs_multiply():
    plan = plan_of(central('y1', 0.01), forward('y2', 0.05), x=np.ones((2, 3)))
    assert plan.total == 6 * 3


def test_relative_steps_by_element_share_where_they_coincide():
    """Elements of equal magnitude make one block; where the steps coincide, points are shared."""
    by_element = forward('y1', 0.1, step_calc='rel_element')
    plan = plan_of(by_element, forward('y2', 0.2), x=np.array([1.0, -2.0, 2.0]))
    assert [list(block.parts[0].elements) for block in plan.blocks] == [[0], [1, 2]]
    # 0.1 and 0.2 for the first element; 0.2 alone for the others.
    assert plan.total == 2 + 1 + 1


def test_what_the_points_add_up_to():
    """Executed on a cubic: each use reproduces its own stencil's known error."""
    x, h1, h2 = 1.3, 0.01, 0.05
    plan = plan_of(central('y1', h1), forward('y2', h2, order=2), x=x)
    (block,) = plan.blocks
    values = [(x + p.offsets[0][1].real) ** 3 for p in block.points]
    slopes = [
        u.base_weight * x**3 + sum(w * values[k] for k, w in zip(u.points, u.weights, strict=True))
        for u in block.parts[0].uses
    ]
    np.testing.assert_allclose(slopes, [3 * x**2 + h1**2, 3 * x**2 - 2 * h2**2], rtol=1e-12)


def test_the_table_says_it_all():
    text = str(plan_of(forward('y1', 0.01), central('y2', 0.01)))
    assert text.splitlines() == [
        'comp: 2 evaluations per linearization',
        'of  wrt  form     order  step  step_calc  own  shared',
        'y1  x    forward      1  0.01  abs          1       0',
        'y2  x    central      2  0.01  abs          1       1',
    ]


# ---- colors: columns that share no rows are perturbed at once -------------------------------


def colored(colors, *declarations, **values):
    return build_plan(declarations, values, 'comp', colors=colors)


def test_a_color_costs_what_its_costliest_column_costs():
    a, b = Declaration('y', 'a', step=0.1), Declaration('y', 'b', step=0.2, form='central')
    values = {'a': np.ones(3), 'b': np.ones(2)}
    assert colored([], a, b, **values).total == 3 + 4
    two_colors = [[('a', 0), ('a', 1), ('b', 0)], [('a', 2), ('b', 1)]]
    plan = colored(two_colors, a, b, **values)
    assert plan.total == 2 + 2
    # The first evaluation of a color serves both; the second, b's other side.
    assert plan.by_declaration == {a: Cost(2, 0), b: Cost(2, 2)}


def test_columns_outside_every_color_stay_alone():
    a = Declaration('y', 'a', step=0.1)
    plan = colored([[('a', 0), ('a', 2)]], a, a=np.ones(4))
    assert plan.total == 1 + 2


def test_each_column_of_a_color_keeps_its_own_offset():
    a = Declaration('y', 'a', step=0.1, step_calc='rel_element')
    b = Declaration('y', 'b', step=0.5)
    plan = colored([[('a', 0), ('a', 1), ('b', 0)]], a, b, a=np.array([1.0, 3.0]), b=[1.0])
    (block,) = plan.blocks
    (point,) = block.points
    shifts = {(block.parts[k].wrt, *block.parts[k].elements): o for k, o in point.offsets}
    assert shifts == {('a', 0): 0.1, ('a', 1): pytest.approx(0.3), ('b', 0): 0.5}


def test_methods_do_not_mix_in_one_evaluation():
    a, b = Declaration('y', 'a', step=0.1), Declaration('y', 'b', 'cs')
    plan = colored([[('a', 0), ('b', 0)]], a, b, a=[1.0], b=[1.0])
    assert [p.method for p in plan.blocks[0].points] == ['fd', 'cs']


def test_an_upper_bound_says_so():
    plan = build_plan([forward('y', 0.1)], {'x': 1.0}, 'comp', bound='no coloring is known yet')
    assert str(plan).startswith('comp: at most 1 evaluation per linearization (no coloring')


def test_what_another_choice_would_cost():
    lift = Declaration('cl', 'x', step=0.05, form='central', order=4)
    drag = Declaration('cd', 'x', step=0.1, form='central')
    plan = build_plan([lift, drag], {'x': np.zeros(3)}, name='foil')
    assert plan.total == 12
    coarse = plan.what_if('cl', 'x', form='forward')
    assert coarse.declarations[0] == Declaration('cl', 'x', step=0.05, form='forward')
    assert coarse.total == build_plan([coarse.declarations[0], drag], {'x': np.zeros(3)}).total == 9
    assert '9 evaluations per linearization, instead of 12' in str(coarse)
    both = coarse.what_if('c?', '*', step=0.2, form='central')
    assert both.total == 6 and both.instead_of is plan
    assert plan.what_if('cd', 'x', method='cs').total == 15
    assert plan.total == 12 and plan.instead_of is None


def test_a_choice_is_of_what_is_declared():
    plan = build_plan([Declaration('cl', 'x', method='cs')], {'x': 0.0}, name='foil')
    assert plan.what_if('cl', 'x', step=1e-30).declarations[0].step == 1e-30
    with pytest.raises(ValueError, match=r'd\(cd\)/d\(x\) is not in this plan.* it has d\(cl'):
        plan.what_if('cd', 'x', step=0.1)
    with pytest.raises(ValueError, match="foil: 'stepsize' is none of"):
        plan.what_if('cl', 'x', stepsize=0.1)
    with pytest.raises(ValueError, match='has no meaning for complex step'):
        plan.what_if('cl', 'x', form='central')
    with pytest.raises(ValueError, match="what_if needs any of \\['bounds', "):
        plan.what_if('cl', 'x')


def test_a_choice_keeps_what_it_does_not_name():
    plan = plan_of(Declaration('y', 'x', step=0.1, form='central', order=4))
    assert plan.what_if(['y'], ['x'], form='central').total == plan.total == 4
    assert plan.what_if('y', 'x', form='forward').total == 1
