"""Draw README's picture: the figure of the ten-minute tutorial, by running the tutorial's cells."""

import re
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

HERE = Path(__file__).resolve().parent
TITLE = 'One component, two outputs: no one step serves both'


def cells(page):
    """Yield the code cells of a MyST-NB page, without their options."""
    for cell in re.findall(
        r'^```\{code-cell\} ipython3\n(.*?)^```', page, re.DOTALL | re.MULTILINE
    ):
        yield re.sub(r'\A(---\n.*?\n---\n|(:.*\n)+)', '', cell, flags=re.DOTALL)


def main():
    """Run the cells up to the one with the figure, and save it."""
    import pictures

    names = {}
    for cell in cells((HERE / 'tutorials' / 'ten_minutes.md').read_text()):
        exec(cell, names)
        if 'figure' in names:
            break
    figure = pictures.error_against_step(
        names['curves'], shared_step=0.05, xlabel='step of the angle of attack, rad', title=TITLE
    )
    figure.savefig(HERE / '_static' / 'error_against_step.png', dpi=120)


if __name__ == '__main__':
    main()
