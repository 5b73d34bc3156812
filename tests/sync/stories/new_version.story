# A step of the query set leads forward.
connect
modify 0 0:
    -> FatalError {"error": "New version 0 passed up is not above the base version 0"}
    close without status
