# A client from which no frame comes for two minutes is taken for gone; any frame counts.
connect
pass 119
    ping frame
    -> Ping
frame
pass 119
    ping frame
    -> Ping
pass 1
    close 1000 InactiveClient
# It does not answer the close frame either.
pass 4
pass 1
    drop: ClosingHandshakeTimeout
