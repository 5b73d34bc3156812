"""`python -m rewake`: the command line under the name of the package.

Floor 8, beside `cli`.
"""

from rewake.cli import main

if __name__ == "__main__":
    main()
