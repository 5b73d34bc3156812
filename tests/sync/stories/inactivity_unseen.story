# A driver that sees no pongs cannot tell quiet from gone: the server below it can.
blind
connect
pass 500
    ping frame
    -> Ping
