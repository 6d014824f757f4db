"""The one place that names private attributes of OpenMDAO; checked on 3.40.0 and 3.45.1.

- `held`: the hooks of a component that are overridden, for `PerOutputFD`;
- `scheme`: how the points of a plan are run in place of OpenMDAO's schemes;
- `plans`: from a component's declarations to its evaluation plan, and OpenMDAO's own;
- `colorings`: partial colorings;
- `declared_calls`, `comparing`, `filling`, `auditing`: what was declared beside what OpenMDAO does;
- `running`: a script, as far as its models are set up;
- `systems`: what the rest of the package may ask of a system;
- `names`: names that these share.
"""
