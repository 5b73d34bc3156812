# A Ping after 15 seconds without another message; a ping frame every 5.
connect
pass 4.9
pass 0.1
    ping frame
pass 5
    ping frame
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
mutation done at 5: null
    -> MutationResponse {"requestId": 0, "success": true, "ts": 5, "logLines": [], "result": null}
    want wave
pass 5
    ping frame
frame
pass 5
    ping frame
pass 5
    ping frame
    -> Ping
pass 5
    ping frame
