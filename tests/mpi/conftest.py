"""What runs with two ranks of MPI, or four: ``mpiexec -n 2 python -m pytest tests/mpi``."""

from openmdao.utils.mpi import MPI

# Elsewhere these are no tests: `.ci/run` brings the ranks (see CONTRIBUTING in the docs).
collect_ignore_glob = [] if MPI is not None and MPI.COMM_WORLD.size > 1 else ['test_*.py']
