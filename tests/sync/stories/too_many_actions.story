# Actions in flight are bounded; one that finished makes room.
limit socket_actions_running_max 2
connect
action 0 a:b {}
    run action 0 a.js:b {} as anonymous
action 1 a:b {}
    run action 1 a.js:b {} as anonymous
action 0 done: null
    -> ActionResponse {"requestId": 0, "success": true, "logLines": ["[LOG] 'hi'"], "result": null}
    want wave
action 2 a:b {}
    run action 2 a.js:b {} as anonymous
action 3 a:b {}
    close 1013 TooManyInflightActionsForSingleClient
