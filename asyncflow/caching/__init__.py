"""What has to be the same for a cached result to be used: the values of `@task(cache_validator=...)`.

The names are those of Prefect 0.15. Each asks for an entry that has not expired, and further:

    all_inputs                       the same arguments; the rule when `cache_for` is given alone
    partial_inputs_only([...])       the same values of these arguments
    all_parameters                   the same parameters of the flow
    partial_parameters_only([...])   the same values of these parameters of the flow
    duration_only                    nothing else
    never_use                        entries are written and never read: compute afresh each time
"""

from asyncflow.caching.validators import (
    Validator,
    all_inputs,
    all_parameters,
    duration_only,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
)

__all__ = [
    "Validator",
    "all_inputs",
    "all_parameters",
    "duration_only",
    "never_use",
    "partial_inputs_only",
    "partial_parameters_only",
]
