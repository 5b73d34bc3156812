# Connect comes once.
connect
connect
    -> FatalError {"error": "Connect must be the first message on a websocket, and must be sent exactly once"}
    close without status
