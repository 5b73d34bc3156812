# A provider that cannot be reached is no verdict on the token: the client comes again.
connect
authenticate 0 User t
    check User t
identity refused: Unavailable
    close 1013 Unavailable
