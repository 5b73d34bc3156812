# The base version must be the newest received, not the newest answered: the client pipelines.
connect
modify 0 1:
    want wave
modify 1 2:
    want wave
modify 1 3:
    -> FatalError {"error": "Base version 1 passed up doesn't match the current version 2"}
    close without status
modify 3 4:
