"""Plants a fault in every process of a server that a test has started. See `tests/isolation/faults.py`.

Python imports a module of this name when it starts, if its folder is on the path; only tests put it there.
"""

import os

if "ISOLATION_FAULTS" in os.environ:
    from tests.isolation.faults import plant_in_process

    plant_in_process(os.environ["ISOLATION_FAULTS"], os.environ["ISOLATION_GATE"])
