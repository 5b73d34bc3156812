# A mutation under a token that has ended is not run: the client sends it again with a fresh one.
connect
authenticate 0 User token
    check User token
identity ada for 20 s
    become ada
    want wave
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/1/5: nothing
mutation 0 a:b {}
    run mutation 0 a.js:b {} as ada, request 0b7f6589656abd68
pass 20
    ping frame
    -> Ping
# What runs is answered; what comes now is not begun.
mutation done at 6: null
    -> MutationResponse {"requestId": 0, "success": true, "ts": 6, "logLines": [], "result": null}
    want wave
mutation 1 a:b {}
    -> AuthError {"error": "Convex token identity expired", "baseVersion": 1, "authUpdateAttempted": false}
    close without status
action 2 a:b {}
