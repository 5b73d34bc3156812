# A client that saw a later commit than the server knows must not be served an older world.
connect maxObservedTimestamp=101
    close 1011 InternalServerError
