# On shutdown every client hears a reason that makes it come again; one that does not answer is cut off.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
shut down
    close 1001 ServerRestarting
mutation done at 5: null
shut down
pass 5
    drop: ClosingHandshakeTimeout
