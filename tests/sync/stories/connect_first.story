# Connect is the first message. A FatalError is for client bugs such as this one.
event
modify 0 1:
    -> FatalError {"error": "Connect must be the first message on a websocket, and must be sent exactly once"}
    close without status
connect
