# Success is told by the next Transition; messages that came meanwhile wait, then go on as the new identity.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
authenticate 0 User token
    check User token
holding
    yes
modify 0 1: +0 a:b {}
mutation 1 a:b {}
wave begins
    yes
wave ends at 4
    -> Transition 0/0/0 to 0/0/4: nothing
identity ada
    become ada
    want wave
    add 0 a.js:b {} journal None
    want wave
holding
    no
wave begins
    yes
wave ends at 5: 0=1.0
    -> Transition 0/0/4 to 1/1/5: 0=1.0
# The identity of a mutation is that of the moment it arrived.
authenticate 1 None
    check None None
identity anonymous
    become anonymous
    want wave
mutation done at 6: null
    -> MutationResponse {"requestId": 0, "success": true, "ts": 6, "logLines": [], "result": null}
    want wave
    run mutation 1 a.js:b {} as ada, request 39851accd9af98a3
