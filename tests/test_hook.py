"""Hooks on an instance's method: shared, undone in any order, and not copied along."""

import copy
import pickle

import pytest

from mdao_seq._hook import listen, stop_listening


class Owner:
    """Says who was asked."""

    def __init__(self, name):
        self.name = name

    def ask(self, question):
        return f'{self.name}: {question}'


def test_listeners_share_a_hook_and_restore_the_instance():
    owner, heard = Owner('a'), []

    def first(who, proceed):
        heard.append(('first', who.name))
        return proceed()

    def second(who, proceed):
        heard.append(('second', who.name))
        return proceed() + '!'

    listen(owner, 'ask', first)
    listen(owner, 'ask', second)
    listen(owner, 'ask', second)
    assert owner.ask('x') == 'a: x!'
    assert heard == [('second', 'a'), ('first', 'a')]
    stop_listening(owner, 'ask', first)
    assert owner.ask('x') == 'a: x!'
    stop_listening(owner, 'ask', second)
    stop_listening(owner, 'ask', second)
    assert vars(owner) == {'name': 'a'}


def test_a_method_that_stood_on_the_instance_comes_back():
    owner = Owner('a')
    mine = owner.ask = lambda question: 'mine'

    def listener(who, proceed):
        return proceed()

    listen(owner, 'ask', listener)
    assert owner.ask('x') == 'mine'
    stop_listening(owner, 'ask', listener)
    assert vars(owner)['ask'] is mine


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_is_not_listened_to(copied):
    owner, heard = Owner('a'), []

    def listener(who, proceed):
        heard.append(who)
        return proceed()

    listen(owner, 'ask', listener)
    twin = copied(owner)
    twin.name = 'b'
    assert twin.ask('x') == 'b: x'
    assert heard == []
    assert owner.ask('x') == 'a: x'
    assert heard == [owner]
