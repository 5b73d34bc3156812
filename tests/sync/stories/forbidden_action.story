# Inside an action, errors of a class end the socket.
connect
action 0 a:b {}
    run action 0 a.js:b {} as anonymous
action breaks: Forbidden
    -> FatalError {"error": "an error text"}
    close 1000 Forbidden
action 0 done: null
