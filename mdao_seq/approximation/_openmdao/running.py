"""Run a user's script as far as its model is set up, and no further."""

import sys

from openmdao.core.problem import Problem
from openmdao.core.system import System

_stock_call_user_function = System._call_user_function


class FirstRun(SystemExit):
    """Ends a script where it would evaluate a component for the first time."""


def stop_at_first_run():
    """End the script, by `FirstRun`, before the first evaluation that is no part of a setup."""
    System._call_user_function = _stop_unless_setting_up


def _stop_unless_setting_up(self, fname, *args, **kwargs):
    if not _is_setting_up():
        raise FirstRun(f'{self.msginfo}: {fname}')
    return _stock_call_user_function(self, fname, *args, **kwargs)


def _is_setting_up():
    """Whether a problem is being set up, which may well run another one inside."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name in ('setup', 'final_setup'):
            if isinstance(frame.f_locals.get('self'), Problem):
                return True
        frame = frame.f_back
    return False
