# The identity's base version must be the one received last.
connect
authenticate 1 None
    close 1011 InternalServerError
