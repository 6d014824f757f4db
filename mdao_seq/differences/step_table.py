"""The result of tuning: a step for each declared partial, with what is expected of it."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mdao_seq._files import replacing
from mdao_seq._text_table import text_table
from mdao_seq.differences.declaration import Declaration

FORMAT = 'mdao_seq step table'
VERSION = 1


@dataclass(frozen=True)
class TunedStep:
    """One declaration and its step.

    Attributes
    ----------
    declaration : Declaration
        As declared.
    step : float
        To take instead, in the same sense (`Declaration.step_calc`).
    value : float
        Frobenius norm of the partial along the sampled elements, in units of the output per unit of
        the input: from all samples, and so better than one difference is.
    uncertainty : float
        Standard deviation of `value`.
    error : float
        Expected error of the declared difference at the step, in the same norm.
    relative_error : float
        `error` divided by `value`.
    noise : float
        Root mean square of the noise of the output, in its units.
    evaluations : int
        Points that the declaration owns, per linearization.
    remark : str
        What the user should know; empty if all is well.
    """

    declaration: Declaration
    step: float
    value: float
    uncertainty: float
    error: float
    relative_error: float
    noise: float
    evaluations: int
    remark: str = ''

    @property
    def tuned(self) -> Declaration:
        """The declaration with the step."""
        return replace(self.declaration, step=self.step)


@dataclass(frozen=True)
class StepTable:
    """Tuned steps of a component.

    Attributes
    ----------
    name : str
        Path of the component.
    rows : tuple of TunedStep
        One for each tuned declaration.
    announced, spent : int
        Evaluations that tuning said it would make at most, and made.
    trade : tuple of (int, float, float)
        Evaluations per linearization against how many times the predicted errors are those of
        separate steps (geometric mean), and the largest relative error: every choice of shared
        steps that no other beats in the first two.
    """

    name: str
    rows: tuple[TunedStep, ...]
    announced: int
    spent: int
    trade: tuple[tuple[int, float, float], ...] = ()

    @property
    def evaluations(self) -> int:
        """Evaluations per linearization of all rows."""
        return sum(row.evaluations for row in self.rows)

    def __getitem__(self, pair: tuple[str, str]) -> TunedStep:
        """Return the row of (of, wrt)."""
        for row in self.rows:
            if (row.declaration.of, row.declaration.wrt) == pair:
                return row
        raise KeyError(f'{self.name}: no step was tuned for d({pair[0]})/d({pair[1]})')

    def apply(self, component: Any) -> None:
        """Let a component take the steps from now on, also after a further setup.

        A declaration that is changed later speaks for itself again.

        Parameters
        ----------
        component : PerOutputFD
            With the declarations that were tuned.

        Raises
        ------
        TypeError
            If it has no mixin.
        RuntimeError
            Before ``final_setup``.
        ValueError
            If it does not declare one of them.
        """
        if not hasattr(component, 'replace_steps'):
            raise TypeError(
                f'StepTable.apply({component!r}): a component with the mixin PerOutputFD is needed'
            )
        component.replace_steps({row.declaration: row.step for row in self.rows})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to a JSON file; one that exists is replaced once the new one is whole."""
        content = {
            'name': self.name,
            'announced': self.announced,
            'spent': self.spent,
            'trade': self.trade,
            'rows': [asdict(row) for row in self.rows],
        }
        text = json.dumps(content, indent=1)
        document = {
            'format': FORMAT,
            'version': VERSION,
            'sha256': _checksum(content),
            'content': json.loads(text),
        }
        with replacing(path) as scratch:
            scratch.write_text(json.dumps(document, indent=1) + '\n')

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'StepTable':
        """Read a table that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, not a step table, or of a later version.
        """
        try:
            document = json.loads(Path(path).read_text())
            if document['format'] != FORMAT:
                raise KeyError('format')
            version, content = document['version'], document['content']
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f'{path}: not a step table ({error!r})') from None
        if version > VERSION:
            raise ValueError(
                f'{path}: version {version}; this mdao_seq reads up to {VERSION}: upgrade mdao_seq'
            )
        if document.get('sha256') != _checksum(content):
            raise ValueError(f'{path}: the step table is damaged: its checksum does not agree')
        rows = tuple(
            TunedStep(**{**row, 'declaration': Declaration(**row['declaration'])})
            for row in content['rows']
        )
        trade = tuple(
            (int(n), float(growth), float(worst)) for n, growth, worst in content['trade']
        )
        return cls(content['name'], rows, content['announced'], content['spent'], trade)

    def __repr__(self) -> str:
        """Return the table: what a notebook shows."""
        return str(self)

    def __str__(self) -> str:
        """Return the table of steps, and the trade of evaluations against error."""
        header = ('of', 'wrt', 'form', 'step', '|value|', 'error', 'relative', 'noise', 'own')
        body: list[Sequence[object]] = [
            (
                row.declaration.of,
                row.declaration.wrt,
                f'{row.declaration.form} {row.declaration.order}',
                f'{row.step:g}' + (f' {row.declaration.step_calc}' * row.declaration.is_relative),
                row.value,
                row.error,
                row.relative_error,
                row.noise,
                row.evaluations,
                row.remark,
            )
            for row in self.rows
        ]
        title = (
            f'{self.name}: {self.evaluations} evaluations per linearization; tuning made '
            f'{self.spent} of at most {self.announced}'
        )
        lines = [title, text_table((*header, 'remark'), body)]
        if len(self.trade) > 1:
            lines += [
                '',
                text_table(('evaluations', 'error / least', 'largest relative error'), self.trade),
            ]
        return '\n'.join(lines)


def _checksum(content: Any) -> str:
    # As JSON reads it back: tuples are lists.
    plain = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
