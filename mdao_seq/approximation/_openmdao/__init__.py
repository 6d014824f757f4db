"""The one place that names private attributes of OpenMDAO; `versions` says of which versions.

- `held_system`, `held_component`, `held_group`: the hooks that are overridden, for `PerOutputFD`;
- `partials`, `totals`: what is declared, perturbed, run, read and written, of a component and of a
  group that is differenced as a whole (`group_variables`, `group_columns`);
- `plans`: from declarations to an evaluation plan, and OpenMDAO's own; `colorings`;
- `scheme`: how the points of a plan are run in place of OpenMDAO's schemes;
- `dispatch`: by which way points are evaluated (`evaluating`, `batching`, `processes`); `sampling`;
- `declared_calls`, `comparing`, `filling`, `auditing`: what was declared beside what OpenMDAO does;
- `running`: a script, as far as its models are set up;
- `systems`: what the rest of the package may ask of a system;
- `names`: names that these share.
"""
